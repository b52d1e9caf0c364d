package import PluginStorage

/// Reads a document's text, whatever its form.
package enum Extraction {
  /// What came of it.
  package struct Outcome: Sendable, Equatable {
    package var title: String?
    package var pages: Int?
    /// Whether text beyond the limit was left out.
    package var truncated = false
    /// Why there is no text, or not all of it; `nil` when all is well.
    package var reason: String?
  }

  /// What bounds it.
  package struct Limits: Sendable {
    /// Bytes of a document that are read for text.
    package var textBytes: Int
    package var pdfSeconds: Int

    package init(textBytes: Int, pdfSeconds: Int) {
      self.textBytes = textBytes
      self.pdfSeconds = pdfSeconds
    }
  }

  /// Gives the document's blocks to `emit`.
  ///
  /// - Parameters:
  ///   - blob: The content.
  ///   - type: What it is.
  ///   - limits: How much of it is read.
  ///   - emit: Takes each block.
  /// - Returns: What came of it; content without text is no error.
  /// - Throws: What `emit` threw, or that the content cannot be read.
  package static func extract(
    _ blob: borrowing IncomingBlob,
    type: TypeSniffer.Result,
    limits: Limits,
    _ emit: BlockSink
  ) throws(StorageError) -> Outcome {
    var outcome = Outcome()
    switch type.form {
    case .text, .markdown, .html, .json, .csv:
      outcome.truncated = blob.size > limits.textBytes
      try blob.withContents(limit: limits.textBytes) { (bytes) throws(StorageError) in
        switch type.encoding {
        case .utf8:
          // A byte order mark is no part of the text.
          let start = bytes.has("\u{FEFF}") ? 3 : 0
          try read(bytes.extracting(start..<bytes.count), type.form, &outcome, emit)
        case .utf16LittleEndian, .utf16BigEndian, .latin1:
          let text = transcoded(bytes, from: type.encoding)
          try read(text.span, type.form, &outcome, emit)
        }
      }
    case .pdf:
      do {
        outcome.pages = try PDFExtractor.extract(
          path: blob.path,
          seconds: limits.pdfSeconds,
          emit
        )
      } catch {
        if case .storage(let error) = error { throw error }
        outcome.reason = error.reason
      }
    case .image, .archive, .executable, .binary:
      outcome.reason = "\(type.contentType) has no text that this server can read"
    }
    return outcome
  }

  private static func read(
    _ bytes: Span<UInt8>,
    _ form: TypeSniffer.Form,
    _ outcome: inout Outcome,
    _ emit: BlockSink
  ) throws(StorageError) {
    switch form {
    case .markdown: outcome.title = try MarkdownExtractor.extract(bytes, emit)
    case .html: outcome.title = try HTMLExtractor.extract(bytes, emit)
    case .csv: try CSVExtractor.extract(bytes, emit)
    case .json:
      do {
        try JSONExtractor.extract(bytes, emit)
      } catch {
        switch error {
        case .storage(let error): throw error
        case .tooDeep(let limit):
          outcome.reason =
            "the JSON is nested deeper than \(limit) levels; what came before is indexed"
        case .malformed(let offset):
          guard !(outcome.truncated && offset >= bytes.count - 64) else { return }
          outcome.reason = "the JSON is malformed at byte \(offset); what came before is indexed"
        }
      }
    default: try TextExtractor.extract(bytes, range: 0..<bytes.count, emit)
    }
  }

  private static func transcoded(
    _ bytes: Span<UInt8>,
    from encoding: TypeSniffer.Encoding
  ) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count)
    if encoding == .latin1 {
      for index in bytes.indices {
        let byte = bytes[index]
        if byte < 0x80 {
          output.append(byte)
        } else {
          output.append(0xC0 | byte >> 6)
          output.append(0x80 | byte & 0x3F)
        }
      }
      return output
    }
    var units: [UInt16] = []
    units.reserveCapacity(bytes.count / 2)
    let high = encoding == .utf16BigEndian ? 0 : 1
    var at = 2  // behind the byte order mark
    while at + 1 < bytes.count {
      units.append(UInt16(bytes[at + high]) << 8 | UInt16(bytes[at + 1 - high]))
      at += 2
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }
}
