import Testing
import Wire

@Suite("Multipart forms, RFC 7578")
struct MultipartParserTests {
  static let text =
    "preamble\r\n--b\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n"
    + "line\r\n--\r\r\n--c\r\n\r\n--b \t\r\n"
    + "content-disposition: form-data; name=file; filename=\"a \\\"b\\\".txt\"\r\n"
    + "Content-Type: text/plain; charset=utf-8\r\nX-Other: y\r\n\r\n\r\n--b\r\n"
    + "Content-Disposition: form-data; name=\"z\"; filename=\"x\"; "
    + "filename*=utf-8'en'%e2%82%ac%20.txt\r\n\r\nlast\r\n--b--\r\nepilogue --b"

  static func type(_ boundary: String = "b") throws -> MediaType {
    let text = "multipart/form-data; boundary=\"\(boundary)\""
    let parsed = MediaType.parse(Array(text.utf8).span)
    return try #require(parsed)
  }

  struct Received: Equatable {
    var part: MultipartParser.Part
    var data: [UInt8] = []
    var isComplete = false
    var text: String { String(decoding: data, as: UTF8.self) }
  }

  /// Feeds `pieces` one after the other; also says whether the end was reported.
  static func receive(
    _ pieces: [[UInt8]],
    boundary: String = "b",
    maxParts: Int = 64,
    maxHeaderBytes: Int = 8192
  ) throws -> [Received] {
    var parser = try MultipartParser(
      contentType: try type(boundary),
      maxParts: maxParts,
      maxHeaderBytes: maxHeaderBytes
    )
    var parts: [Received] = []
    for piece in pieces {
      var offset = 0
      try withGuardedBytes(piece) { bytes in
        loop: while true {
          switch try parser.next(bytes, from: &offset) {
          case .needMore, .end: break loop
          case .partBegin(let part): parts.append(Received(part: part))
          case .partData(let range): parts[parts.count - 1].data += piece[range]
          case .partHeldBack(let held): parts[parts.count - 1].data += held
          case .partEnd: parts[parts.count - 1].isComplete = true
          }
        }
      }
      #expect(offset == piece.count)
    }
    try parser.finish()
    return parts
  }

  static func check(_ parts: [Received]) {
    #expect(parts.count == 3 && parts.allSatisfy { $0.isComplete })
    guard parts.count == 3 else { return }
    #expect(parts[0].part == MultipartParser.Part(name: "note", filename: nil, contentType: nil))
    #expect(parts[0].text == "line\r\n--\r\r\n--c\r\n")
    #expect(parts[1].part.filename == "a \"b\".txt")
    #expect(parts[1].part.contentType?.essence == "text/plain")
    #expect(parts[1].text == "")
    #expect(parts[2].part.filename == "€ .txt")
    #expect(parts[2].text == "last")
  }

  @Test func `finds the same parts at every two cuts`() throws {
    let bytes = Array(Self.text.utf8)
    Self.check(try Self.receive([bytes]))
    Self.check(try Self.receive(bytes.map { [$0] }))
    let expected = try Self.receive([bytes])
    for first in stride(from: 0, through: bytes.count, by: 3) {
      for second in first...bytes.count {
        let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]].map { Array($0) }
        if try Self.receive(pieces) != expected { Issue.record("cut at \(first), \(second)") }
      }
    }
  }

  @Test func `every cut before the last boundary is truncated`() {
    let end = Self.text.utf8.count - "\r\nepilogue --b".utf8.count
    for count in 0..<end {
      #expect(throws: MultipartError.truncated) {
        try Self.receive([Array(Self.text.utf8.prefix(count))])
      }
    }
  }

  @Test func `needs no preamble and no parts`() throws {
    #expect(try Self.receive([Array("--b--".utf8)]).isEmpty)
  }

  @Test func `long data without line ends passes through`() throws {
    let data = Array(repeating: UInt8(0x0A), count: 5000)
    let head = Array("--b\r\nContent-Disposition: form-data; name=n\r\n\r\n".utf8)
    let parts = try Self.receive([head + data, data + Array("\r\n--b--".utf8)])
    #expect(parts.first?.data == data + data)
  }

  static let named = "--b\r\nContent-Disposition: form-data; name=n"

  static let refusals: [(String, MultipartError)] = [
    ("--bX", MultipartError.malformedDelimiter), ("--b-X", .malformedDelimiter),
    ("--b\rX", .malformedDelimiter), ("--b\n", .malformedDelimiter), ("--b X", .malformedDelimiter),
    ("--b\r\n\r\n", .missingName), ("--b\r\nContent-Type: a/b\r\n\r\n", .missingName),
    ("--b\r\nContent-Disposition: attachment; name=n\r\n\r\n", .missingName),
    ("--b\r\nContent-Disposition: form-data\r\n\r\n", .missingName),
    ("\(named)\r\nContent-Disposition: form-data; name=m\r\n\r\n", .missingName),
    ("--b\r\nno colon\r\n\r\n", .malformedHeader), ("\(named); x\r\n\r\n", .malformedHeader),
    ("\(named)\r\n folded\r\n\r\n", .malformedHeader),
    ("\(named)\r\nA: \u{0}\r\n\r\n", .malformedHeader),
    ("\(named)\nA: b\r\n\r\n", .malformedHeader),
    ("\(named)\r\nContent-Type: x\r\n\r\n", .malformedHeader),
    ("\(named); filename*=latin1''x\r\n\r\n", .invalidFilename),
    ("\(named); filename*=utf-8''%ff\r\n\r\n", .invalidFilename),
    ("\(named); filename*=utf-8''%0\r\n\r\n", .invalidFilename),
    ("\(named); filename*=utf-8''%00\r\n\r\n", .invalidFilename),
    ("\(named); filename*=x\r\n\r\n", .invalidFilename),
  ]

  @Test(arguments: refusals)
  func `refuses what is malformed`(_ text: String, _ error: MultipartError) {
    #expect(throws: error) { try Self.receive([Array(text.utf8)]) }
    #expect(error.message.hasSuffix("."))
  }

  @Test func `refuses a file name that is not UTF-8`() {
    let bytes = Array((Self.named + "; filename=\"").utf8) + [0xFF] + Array("\"\r\n\r\n".utf8)
    #expect(throws: MultipartError.invalidFilename) { try Self.receive([bytes]) }
  }

  @Test func `takes as much as allowed and not more`() throws {
    let part = Self.named + "\r\n\r\n\r\n"
    let two = Array((part + part + "--b--").utf8)
    #expect(try Self.receive([two], maxParts: 2).count == 2)
    #expect(throws: MultipartError.tooManyParts(limit: 1)) {
      try Self.receive([two], maxParts: 1)
    }
    let size = part.utf8.count - "--b\r\n\r\n".utf8.count
    #expect(try Self.receive([two], maxHeaderBytes: size).count == 2)
    #expect(throws: MultipartError.headerTooLong(limit: size - 1)) {
      try Self.receive([two], maxHeaderBytes: size - 1)
    }
  }

  @Test(arguments: [("", false), ("b", true), ("a b", true), ("b ", false), ("a\\\"b", false)])
  func `checks the boundary`(_ boundary: String, _ isValid: Bool) throws {
    let type = try Self.type(boundary)
    let parser = try? MultipartParser(contentType: type)
    #expect((parser != nil) == isValid)
  }

  @Test func `a boundary has up to 70 characters`() throws {
    let longest = String(repeating: "b", count: 70)
    #expect(try Self.receive([Array("--\(longest)--".utf8)], boundary: longest).isEmpty)
    let type = try Self.type(longest + "b")
    #expect(throws: MultipartError.invalidBoundary) { try MultipartParser(contentType: type) }
    let parsed = MediaType.parse(Array("text/plain; boundary=b".utf8).span)
    let plain = try #require(parsed)
    #expect(throws: MultipartError.invalidBoundary) { try MultipartParser(contentType: plain) }
  }
}
