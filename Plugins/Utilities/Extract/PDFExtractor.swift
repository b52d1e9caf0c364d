import Glibc
package import PluginStorage

/// PDF, through the `pdftotext` program of poppler-utils where it is installed.
package enum PDFExtractor {
  package enum Failure: Error, Equatable {
    case notInstalled
    case child(ChildProcess.Failure)
    case storage(StorageError)

    /// Why the document was stored without being indexed.
    package var reason: String {
      switch self {
      case .notInstalled:
        "pdftotext is not installed on the server (package poppler-utils)"
      case .child(.cannotStart(let code)): "pdftotext could not be started (error \(code))"
      case .child(.timedOut(let seconds)): "reading the PDF took longer than \(seconds) s"
      case .child(.outputTooLarge(let limit)): "the PDF has more than \(limit >> 20) MiB of text"
      case .child(.failed): "pdftotext could not read the document: damaged, or protected"
      case .storage(let error): error.description
      }
    }
  }

  /// Where the program is looked for, in order.
  package static let places = ["/usr/bin/pdftotext", "/usr/local/bin/pdftotext"]

  /// Gives each page's paragraphs to `emit`.
  ///
  /// - Parameters:
  ///   - path: Absolute path of the document.
  ///   - seconds: Limit for the program.
  ///   - places: Where the program is looked for.
  ///   - emit: Takes each paragraph, with its page.
  /// - Returns: The number of pages.
  /// - Throws: `Failure`; on `notInstalled` and `child` nothing was given.
  package static func extract(
    path: String,
    seconds: Int,
    places: [String] = Self.places,
    _ emit: BlockSink
  ) throws(Failure) -> Int {
    guard let program = places.first(where: { unsafe access($0, X_OK) == 0 }) else {
      throw .notInstalled
    }
    let limits = ChildProcess.Limits(
      seconds: seconds,
      outputBytes: 32 << 20,
      memoryBytes: 1 << 30
    )
    let text: [UInt8]
    do {
      text = try ChildProcess.output(
        of: program,
        ["-q", "-enc", "UTF-8", "-eol", "unix", path, "-"],
        limits: limits
      )
    } catch { throw .child(error) }
    do { return try pages(text, emit) } catch { throw .storage(error) }
  }

  private static func pages(_ text: [UInt8], _ emit: BlockSink) throws(StorageError) -> Int {
    var page = 0
    var start = 0
    var line = 1
    while start < text.count {
      // pdftotext ends every page with a form feed.
      let end = text[start...].firstIndex(of: 0x0C) ?? text.count
      page += 1
      line = try TextExtractor.extract(
        text.span,
        range: start..<end,
        line: line,
        page: page,
        emit
      )
      start = end + 1
    }
    return page
  }
}
