/// Takes a `multipart/form-data` body apart while it arrives (RFC 7578, RFC 2046 §5.1).
///
/// Memory stays the same however large a part is: data is handed on as ranges of the bytes that were
/// passed. Bytes may be cut anywhere, also within a boundary.
///
/// ```swift
/// var parser = try MultipartParser(contentType: type)
/// var offset = 0
/// while case let event = try parser.next(bytes, from: &offset), event != .needMore { … }
/// ```
public struct MultipartParser: Sendable {
  /// What the header fields of a part say.
  public struct Part: Equatable, Sendable {
    /// The name of the form field.
    public let name: String
    /// The file name as the client sent it, or `nil` when the part is no file.
    ///
    /// It may contain slashes and dots: never use it as a path.
    public let filename: String?
    /// The media type the client claims, or `nil` when it claims none.
    public let contentType: MediaType?

    /// Makes a part.
    public init(name: String, filename: String?, contentType: MediaType?) {
      self.name = name
      self.filename = filename
      self.contentType = contentType
    }
  }

  /// What was found in the body.
  public enum Event: Equatable, Sendable {
    /// All bytes are used up; pass the next ones from their start.
    case needMore
    /// A part begins.
    case partBegin(Part)
    /// Data of the part, as a range of the bytes that were passed.
    case partData(Range<Int>)
    /// Data of the part that arrived earlier and was held back, since it looked like a boundary.
    case partHeldBack([UInt8])
    /// The part is complete.
    case partEnd
    /// The body is complete; what follows is passed over.
    case end
  }

  private enum Phase {
    case preamble, data
    /// The boundary after the data was read, but the end of the part not yet reported.
    case partEnding
    case delimiterEnd, dash, padding, lineFeed
    case header
    case done
  }

  private let maxHeaderBytes: Int
  private let maxParts: Int
  /// Line end, two dashes and the boundary.
  ///
  /// A CR stands only at its front, so that after a mismatch the search can start over at the byte
  /// that did not match.
  private let delimiter: [UInt8]
  private var phase = Phase.preamble
  /// Bytes of the delimiter that the last bytes were equal to; at the start of the body its line
  /// end counts as seen.
  private var matched = 2
  private var header: [UInt8] = []
  private var parts = 0

  /// Makes a parser for the body of a request.
  ///
  /// - Parameters:
  ///   - contentType: The request's content type, with the boundary.
  ///   - maxParts: How many parts to accept.
  ///   - maxHeaderBytes: How long the header fields of one part may be together.
  /// - Throws: `MultipartError.invalidBoundary`.
  public init(
    contentType: MediaType,
    maxParts: Int = 64,
    maxHeaderBytes: Int = 8 * 1024
  ) throws(MultipartError) {
    guard contentType.essence == "multipart/form-data", let boundary = contentType["boundary"],
      1...70 ~= boundary.utf8.count, boundary.utf8.allSatisfy(Self.isBoundaryByte),
      boundary.utf8.last != 0x20
    else { throw .invalidBoundary }
    delimiter = Array("\r\n--\(boundary)".utf8)
    self.maxParts = maxParts
    self.maxHeaderBytes = maxHeaderBytes
  }

  /// RFC 2046 §5.1.1.
  private static func isBoundaryByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "'()+_,-./:=? ".utf8.contains(byte)
    }
  }

  /// Goes on until something is found, or the last byte.
  ///
  /// - Parameters:
  ///   - bytes: What has arrived.
  ///   - offset: Where to go on in `bytes`; moved behind what was used.
  /// - Returns: What was found.
  /// - Throws: `MultipartError`; the body cannot be read any further.
  public mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(MultipartError) -> Event {
    while true {
      switch phase {
      case .partEnding:
        phase = .delimiterEnd
        return .partEnd
      case .done:
        offset = bytes.count
        return .end
      default: break
      }
      guard offset < bytes.count else { return .needMore }
      switch phase {
      case .preamble, .data:
        if let event = search(bytes, &offset) { return event }
      case .header:
        if let part = try takeHeader(bytes, &offset) { return .partBegin(part) }
      default:
        try endDelimiter(bytes[offset])
        offset += 1
      }
    }
  }

  /// Checks that the body was complete; call it after the last bytes.
  ///
  /// - Throws: `MultipartError.truncated` when it was not.
  public func finish() throws(MultipartError) {
    guard phase == .done else { throw .truncated }
  }

  // MARK: - Data and boundaries

  /// Looks for the delimiter; `nil` when no data stands before what was used.
  private mutating func search(_ bytes: Span<UInt8>, _ offset: inout Int) -> Event? {
    let isData = phase == .data
    if matched > 0 {
      matchOn(bytes, &offset)
      if matched == delimiter.count {
        foundDelimiter()
        return nil
      }
      if offset == bytes.count { return nil }
      let held = delimiter[..<matched]
      matched = 0
      return isData ? .partHeldBack(Array(held)) : nil
    }

    let start = offset
    var end = start
    while true {
      Self.skipToCarriageReturn(bytes, &offset)
      end = offset
      matchOn(bytes, &offset)
      if matched == delimiter.count {
        foundDelimiter()
        break
      }
      if offset == bytes.count { break }
      matched = 0
    }
    return isData && end > start ? .partData(start..<end) : nil
  }

  /// Steps forward while bytes are equal to the delimiter.
  private mutating func matchOn(_ bytes: Span<UInt8>, _ offset: inout Int) {
    while offset < bytes.count, matched < delimiter.count, bytes[offset] == delimiter[matched] {
      matched += 1
      offset += 1
    }
  }

  private mutating func foundDelimiter() {
    matched = 0
    phase = phase == .data ? .partEnding : .delimiterEnd
  }

  private static func skipToCarriageReturn(_ bytes: Span<UInt8>, _ offset: inout Int) {
    while offset &+ 8 <= bytes.count {
      guard ByteWord(bytes, at: offset).marks(of: ASCII.carriageReturn) == 0 else { break }
      offset &+= 8
    }
    while offset < bytes.count, bytes[offset] != ASCII.carriageReturn { offset += 1 }
  }

  /// Takes one byte between a boundary and the part after it.
  private mutating func endDelimiter(_ byte: UInt8) throws(MultipartError) {
    switch (phase, byte) {
    case (.delimiterEnd, UInt8(ascii: "-")): phase = .dash
    case (.dash, UInt8(ascii: "-")): phase = .done
    case (.delimiterEnd, ASCII.carriageReturn), (.padding, ASCII.carriageReturn):
      phase = .lineFeed
    case (.delimiterEnd, 0x20), (.delimiterEnd, 0x09), (.padding, 0x20), (.padding, 0x09):
      phase = .padding  // RFC 2046 §5.1.1: spaces that a transport may have added
    case (.lineFeed, ASCII.lineFeed):
      parts += 1
      guard parts <= maxParts else { throw .tooManyParts(limit: maxParts) }
      header.removeAll(keepingCapacity: true)
      phase = .header
    default: throw .malformedDelimiter
    }
  }

  // MARK: - Header fields

  /// Collects header fields up to the empty line; `nil` while it has not come.
  private mutating func takeHeader(
    _ bytes: Span<UInt8>,
    _ offset: inout Int
  ) throws(MultipartError) -> Part? {
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      header.append(byte)
      guard header.count <= maxHeaderBytes else { throw .headerTooLong(limit: maxHeaderBytes) }
      guard byte == ASCII.lineFeed else { continue }
      if header.count == 2 || header.suffix(4) == [0x0D, 0x0A, 0x0D, 0x0A] {
        let part = try MultipartHeader.part(header.span)
        phase = .data
        matched = 0
        return part
      }
    }
    return nil
  }
}
