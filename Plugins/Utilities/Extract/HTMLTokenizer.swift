/// One token of an HTML document.
enum HTMLToken: Equatable {
  /// Character data, entities resolved.
  case text(String)
  /// A start tag, name in lower case.
  case open(String)
  /// An end tag, name in lower case.
  case close(String)
}

/// Walks an HTML document the forgiving way browsers do; never fails.
struct HTMLTokenizer {
  /// Bytes after which one run of text is given in pieces.
  static let pieceBytes = 16 * 1024
  /// Elements whose content is not markup.
  static let raw: Set<String> = [
    "script", "style", "textarea", "title", "noscript", "iframe", "xmp", "noframes",
  ]

  private(set) var at = 0
  private(set) var line = 1
  /// The element whose end tag alone ends the text.
  private var rawName: String?

  /// The next token; `nil` at the end.
  mutating func next(in bytes: Span<UInt8>) -> HTMLToken? {
    while at < bytes.count {
      if let name = rawName { return rawText(of: name, bytes) }
      guard bytes[at] == UInt8(ascii: "<") else { return text(bytes) }
      let following = at + 1 < bytes.count ? bytes[at + 1] : 0
      if bytes.has("<!--", at: at) {
        skip(behind: "-->", bytes)
      } else if following == UInt8(ascii: "!") || following == UInt8(ascii: "?") {
        skip(behind: ">", bytes)
      } else if ASCIIClass.isLetter(following) {
        return tag(bytes, nameAt: at + 1, isEnd: false)
      } else if following == UInt8(ascii: "/"), at + 2 < bytes.count,
        ASCIIClass.isLetter(bytes[at + 2])
      {
        return tag(bytes, nameAt: at + 2, isEnd: true)
      } else {
        return text(bytes)
      }
    }
    return nil
  }

  private mutating func advance(to end: Int, _ bytes: Span<UInt8>) {
    while at < end {
      if bytes[at] == 0x0A { line += 1 }
      at += 1
    }
  }

  private mutating func skip(behind mark: StaticString, _ bytes: Span<UInt8>) {
    while at < bytes.count, !bytes.has(mark, at: at) { advance(to: at + 1, bytes) }
    advance(to: min(bytes.count, at + mark.utf8CodeUnitCount), bytes)
  }

  private mutating func text(_ bytes: Span<UInt8>) -> HTMLToken {
    let start = at
    let limit = min(bytes.count, start + Self.pieceBytes)
    var end = start + 1
    while end < limit, bytes[end] != UInt8(ascii: "<") { end += 1 }
    if end == limit, end < bytes.count {
      while end > start + 1, bytes[end] & 0xC0 == 0x80 { end -= 1 }
    }
    advance(to: end, bytes)
    return .text(HTMLEntities.resolved(bytes.text(start..<end)))
  }

  private mutating func rawText(of name: String, _ bytes: Span<UInt8>) -> HTMLToken {
    let start = at
    let wanted = Array("</\(name)".utf8)
    var end = start
    search: while end < bytes.count {
      if bytes[end] == UInt8(ascii: "<"), end + wanted.count <= bytes.count {
        var index = 0
        while index < wanted.count, ASCIIClass.lower(bytes[end + index]) == wanted[index] {
          index += 1
        }
        if index == wanted.count { break search }
      }
      end += 1
    }
    rawName = nil
    let kept = min(end, start + Self.pieceBytes)
    let content = bytes.text(start..<kept)
    advance(to: end, bytes)
    return .text(name == "title" || name == "textarea" ? HTMLEntities.resolved(content) : content)
  }

  private mutating func tag(_ bytes: Span<UInt8>, nameAt: Int, isEnd: Bool) -> HTMLToken {
    var end = nameAt
    var name: [UInt8] = []
    while end < bytes.count, !ASCIIClass.isSpace(bytes[end]), bytes[end] != UInt8(ascii: ">"),
      bytes[end] != UInt8(ascii: "/")
    {
      if name.count < 32 { name.append(ASCIIClass.lower(bytes[end])) }
      end += 1
    }
    // A '>' inside a quoted attribute does not end the tag.
    var quote: UInt8?
    while end < bytes.count {
      let byte = bytes[end]
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == UInt8(ascii: ">") {
        break
      }
      end += 1
    }
    advance(to: min(bytes.count, end + 1), bytes)
    let text = String(decoding: name, as: UTF8.self)
    if !isEnd, Self.raw.contains(text) { rawName = text }
    return isEnd ? .close(text) : .open(text)
  }
}
