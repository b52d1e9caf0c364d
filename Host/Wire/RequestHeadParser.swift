extension RequestHead {
  /// Reads the head at the front of `bytes`.
  ///
  /// What two parsers could read differently is refused rather than repaired, because a request
  /// that a proxy and this server frame differently smuggles a second one (RFC 9112 §11.2).
  ///
  /// - Parameters:
  ///   - bytes: What has arrived so far, from the same start in each call; may end anywhere.
  ///   - maxBytes: The longest head to accept, with its empty line; below 4 GiB.
  ///   - maxFields: The most header fields to accept; below 65,536.
  /// - Returns: The length of the head in bytes, or `nil` when more bytes are needed.
  /// - Throws: `HeadError`, at the first byte that decides it; the fields are then incomplete.
  package mutating func parse(
    _ bytes: Span<UInt8>,
    maxBytes: Int,
    maxFields: Int
  ) throws(HeadError) -> Int? {
    let bytes = bytes.extracting(first: maxBytes)
    let isFull = bytes.count == maxBytes
    if scanned > 0, !isFull, !Self.mayEnd(bytes, from: scanned) {
      scanned = bytes.count
      return nil
    }
    clear()
    var index = 0
    // RFC 9112 §2.2: one empty line before the request is passed over.
    if !bytes.isEmpty, bytes[0] == ASCII.carriageReturn {
      guard bytes.count > 1 else { return nil }
      guard bytes[1] == ASCII.lineFeed else { throw .bareCarriageReturn }
      index = 2
    }
    guard try parseRequestLine(bytes, &index) else {
      guard !isFull else { throw .requestLineTooLong(limit: maxBytes) }
      scanned = bytes.count
      return nil
    }
    guard try parseFields(bytes, &index, maxFields: maxFields) else {
      guard !isFull else { throw .headTooLong(limit: maxBytes) }
      scanned = bytes.count
      return nil
    }
    guard minorVersion == 0 || has(.host) else { throw .missingHost }
    keepAlive = !asksForClose && (minorVersion == 1 || asksForKeepAlive)
    scanned = 0
    return index
  }

  /// Whether an empty line, or a line end that is refused, stands at or after `start`.
  private static func mayEnd(_ bytes: Span<UInt8>, from start: Int) -> Bool {
    var index = start
    while index < bytes.count {
      if bytes[index] == ASCII.lineFeed {
        guard index >= 2, bytes[index - 1] == ASCII.carriageReturn else { return true }
        if bytes[index - 2] == ASCII.lineFeed { return true }
      }
      index += 1
    }
    return false
  }

  // MARK: - Request line

  /// Reads the request line; false when it has not arrived whole.
  private mutating func parseRequestLine(
    _ bytes: Span<UInt8>,
    _ index: inout Int
  ) throws(HeadError) -> Bool {
    guard try parseMethod(bytes, &index) else { return false }

    let start = index
    Self.skipTarget(bytes, &index)
    guard index < bytes.count else { return false }
    guard bytes[index] == 0x20, index > start else {
      throw Self.targetError(bytes[index], isEmpty: index == start)
    }
    targetRange = start..<index
    let question = Self.firstIndex(of: UInt8(ascii: "?"), bytes, targetRange)
    queryRange = question == index ? nil : (question &+ 1)..<index
    pathRange = start..<question
    if bytes[start] != UInt8(ascii: "/") { try parseOtherTarget(bytes) }
    index &+= 1

    guard bytes.count &- index >= 10 else { return false }
    switch ByteWord(bytes, at: index).asWritten {
    case 0x4854_5450_2F31_2E31: minorVersion = 1  // HTTP/1.1
    case 0x4854_5450_2F31_2E30: minorVersion = 0  // HTTP/1.0
    default: throw Self.versionError(bytes, index)
    }
    try Self.expectLineEnd(bytes, index &+ 8)
    index &+= 10
    return true
  }

  /// Reads the method and the space after it; false when they have not arrived whole.
  private mutating func parseMethod(
    _ bytes: Span<UInt8>,
    _ index: inout Int
  ) throws(HeadError) -> Bool {
    let start = index
    var word: UInt64 = 0
    while index < bytes.count, ASCII.isToken(bytes[index]) {
      guard index &- start < 20 else { throw .methodTooLong(limit: 20) }
      word = word &<< 8 | UInt64(bytes[index])
      index &+= 1
    }
    guard index < bytes.count else { return false }
    guard bytes[index] == 0x20, index > start else { throw .malformedRequestLine }
    methodRange = start..<index
    method = index &- start <= 8 ? Self.method(word) : .other
    index &+= 1
    return true
  }

  @inline(__always)
  private static func method(_ word: UInt64) -> Method {
    switch word {
    case 0x47_4554: .get
    case 0x4845_4144: .head
    case 0x504F_5354: .post
    case 0x50_5554: .put
    case 0x4445_4C45_5445: .delete
    case 0x50_4154_4348: .patch
    case 0x4F_5054_494F_4E53: .options
    default: .other
    }
  }

  /// Reads a target that is no path: an absolute address, or `*` (RFC 9112 §3.2).
  private mutating func parseOtherTarget(_ bytes: Span<UInt8>) throws(HeadError) {
    let target = targetRange
    if method == .options, target.count == 1, bytes[target.lowerBound] == UInt8(ascii: "*") {
      pathRange = target.upperBound..<target.upperBound
      return
    }
    if ASCII.isEqual(bytes, methodRange, "connect") { throw .connectRefused }
    var start = target.lowerBound
    if target.count > 7, ASCII.isEqual(bytes, start..<(start + 7), "http://") {
      start += 7
    } else if target.count > 8, ASCII.isEqual(bytes, start..<(start + 8), "https://") {
      start += 8
    } else {
      throw .unknownTargetForm
    }
    var end = start
    while end < pathRange.upperBound, bytes[end] != UInt8(ascii: "/") { end += 1 }
    guard HostName.isValid(bytes, start..<end) else { throw .unknownTargetForm }
    hostRange = start..<end
    // Without a path, the last slash of `http://` stands for it.
    pathRange = end < pathRange.upperBound ? end..<pathRange.upperBound : (start - 1)..<start
  }

  private static func targetError(_ byte: UInt8, isEmpty: Bool) -> HeadError {
    switch byte {
    case 0x20, ASCII.carriageReturn: isEmpty ? .malformedRequestLine : .malformedVersion
    case ASCII.lineFeed: .bareLineFeed
    case UInt8(ascii: "#"): .fragmentInTarget
    default: .targetByte(byte)
    }
  }

  private static func versionError(_ bytes: Span<UInt8>, _ index: Int) -> HeadError {
    let isVersion =
      ByteWord(bytes, at: index).asWritten >> 24 == 0x48_5454_502F
      && ASCII.isDigit(bytes[index + 5]) && bytes[index + 6] == UInt8(ascii: ".")
      && ASCII.isDigit(bytes[index + 7])
    return isVersion ? .unsupportedVersion : .malformedVersion
  }

  private static func expectLineEnd(_ bytes: Span<UInt8>, _ index: Int) throws(HeadError) {
    guard bytes[index] == ASCII.carriageReturn else {
      throw bytes[index] == ASCII.lineFeed ? .bareLineFeed : .malformedVersion
    }
    guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
  }

  // MARK: - Fields

  /// Reads field lines up to the empty line; false when they have not all arrived.
  private mutating func parseFields(
    _ bytes: Span<UInt8>,
    _ index: inout Int,
    maxFields: Int
  ) throws(HeadError) -> Bool {
    while index < bytes.count {
      if bytes[index] == ASCII.carriageReturn {
        guard index &+ 1 < bytes.count else { return false }
        guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
        index &+= 2
        return true
      }
      guard fields.count < maxFields else { throw .tooManyFields(limit: maxFields) }
      guard let line = try Self.fieldLine(bytes, &index) else { return false }
      if line.known.isInterpreted { try interpret(bytes, line) }
      append(line)
    }
    return false
  }

  /// Reads one field line; `nil` when it has not arrived whole.
  @inline(__always)
  private static func fieldLine(
    _ bytes: Span<UInt8>,
    _ index: inout Int
  ) throws(HeadError) -> FieldLine? {
    let start = index
    let end = firstIndex(of: UInt8(ascii: ":"), bytes, start..<bytes.count)
    let known = end < bytes.count ? KnownField.match(bytes, start, end) : .other
    if known == .other {  // the names that are known need no check of their bytes
      while index < end, ASCII.isToken(bytes[index]) { index &+= 1 }
      guard index == end, index > start || index == bytes.count else {
        throw nameError(bytes[index], isEmpty: index == start)
      }
      guard index < bytes.count else { return nil }
    }
    index = end &+ 1
    while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index &+= 1 }

    let valueStart = index
    skipFieldContent(bytes, &index)
    guard index < bytes.count else { return nil }
    guard bytes[index] == ASCII.carriageReturn else {
      throw bytes[index] == ASCII.lineFeed ? .bareLineFeed : .fieldValueByte(bytes[index])
    }
    guard index &+ 1 < bytes.count else { return nil }
    guard bytes[index &+ 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
    let value = ASCII.trimmed(bytes, valueStart..<index)
    index &+= 2
    return FieldLine(name: start..<end, value: value, known: known)
  }

  private static func nameError(_ byte: UInt8, isEmpty: Bool) -> HeadError {
    switch byte {
    case UInt8(ascii: ":"): .emptyFieldName
    case 0x20, 0x09: isEmpty ? .foldedLine : .spaceBeforeColon
    case ASCII.lineFeed: .bareLineFeed
    case ASCII.carriageReturn: .missingColon
    default: .fieldNameByte(byte)
    }
  }

  // MARK: - Scanning

  /// Where `byte` stands first in `range`, or the end of it.
  @inline(__always)
  private static func firstIndex(
    of byte: UInt8,
    _ bytes: Span<UInt8>,
    _ range: Range<Int>
  ) -> Int {
    var index = range.lowerBound
    while index &+ 8 <= range.upperBound {
      let marks = ByteWord(bytes, at: index).marks(of: byte)
      guard marks == 0 else { return index &+ ByteWord.position(marks) }
      index &+= 8
    }
    while index < range.upperBound, bytes[index] != byte { index &+= 1 }
    return index
  }

  @inline(__always)
  private static func skipTarget(_ bytes: Span<UInt8>, _ index: inout Int) {
    while index &+ 8 <= bytes.count {
      let marks = ByteWord(bytes, at: index).nonTargetMarks
      guard marks == 0 else { return index &+= ByteWord.position(marks) }
      index &+= 8
    }
    while index < bytes.count, ASCII.isTarget(bytes[index]) { index &+= 1 }
  }

  @inline(__always)
  private static func skipFieldContent(_ bytes: Span<UInt8>, _ index: inout Int) {
    while index &+ 8 <= bytes.count {
      let marks = ByteWord(bytes, at: index).controlMarks
      guard marks != 0 else {
        index &+= 8
        continue
      }
      index &+= ByteWord.position(marks)
      guard bytes[index] == 0x09 else { return }
      index &+= 1
    }
    while index < bytes.count, ASCII.isFieldContent(bytes[index]) { index &+= 1 }
  }
}
