import Testing
import Wire

@Suite("Request head, RFC 9112")
struct RequestHeadTests {
  static func parse(
    _ text: String,
    maxBytes: Int = 4096,
    maxFields: Int = 64
  ) throws -> (head: RequestHead, consumed: Int?) {
    try withGuardedBytes(Array(text.utf8)) { bytes in
      var head = RequestHead()
      let consumed = try head.parse(bytes, maxBytes: maxBytes, maxFields: maxFields)
      return (head, consumed)
    }
  }

  static func text(_ range: Range<Int>?, of source: String) -> String? {
    range.map { String(decoding: Array(source.utf8)[$0], as: UTF8.self) }
  }

  static let whole =
    "POST /v1/query?mode=fast&x=%20 HTTP/1.1\r\nHost: example.org:8000\r\n"
    + "user-AGENT:curl/8.0\r\nX-Custom: \t a b \t\r\nContent-Length: 42\r\nEmpty:\r\n"
    + "Expect: 100-Continue\r\nX-API-Key: abc\r\nCookie: a=1\r\ncookie: b=2\r\n\r\n"

  @Test func `asks for more at every cut, then reads the whole`() throws {
    let bytes = Array(Self.whole.utf8)
    for count in 0..<bytes.count {
      let cut = String(decoding: bytes.prefix(count), as: UTF8.self)
      #expect(try Self.parse(cut).consumed == nil)
    }
    let (head, consumed) = try Self.parse(Self.whole + "GET /next")
    #expect(consumed == bytes.count)
    #expect(head.method == .post)
    #expect(Self.text(head.methodRange, of: Self.whole) == "POST")
    #expect(Self.text(head.targetRange, of: Self.whole) == "/v1/query?mode=fast&x=%20")
    #expect(Self.text(head.pathRange, of: Self.whole) == "/v1/query")
    #expect(Self.text(head.queryRange, of: Self.whole) == "mode=fast&x=%20")
    #expect(Self.text(head.hostRange, of: Self.whole) == "example.org:8000")
    #expect(Self.text(head.first(.userAgent), of: Self.whole) == "curl/8.0")
    #expect(Self.text(head.first(.cookie), of: Self.whole) == "a=1")
    #expect(head.count(.cookie) == 2)
    #expect(head.count(.host) == 1)
    #expect(head.count(.origin) == 0)
    #expect(head.first(.origin) == nil)
    #expect(Self.text(head.fields[2].name, of: Self.whole) == "X-Custom")
    #expect(Self.text(head.fields[2].value, of: Self.whole) == "a b")
    #expect(head.fields[2].known == .other)
    #expect(head.fields[4].value.isEmpty)
    #expect(head.fields.count == 9)
    #expect(head.framing == .length(42))
    #expect(head.keepAlive)
    #expect(head.expectsContinue)
    #expect(!head.wantsUpgradeToWebSocket)
  }

  @Test func `one value reads byte by byte, then the next request`() throws {
    var head = RequestHead()
    let bytes = Array(Self.whole.utf8)
    for count in 0..<bytes.count {
      let cut = Array(bytes.prefix(count))
      #expect(try head.parse(cut.span, maxBytes: 4096, maxFields: 64) == nil)
      #expect(head.scanned == count || count == 1)
    }
    #expect(try head.parse(bytes.span, maxBytes: 4096, maxFields: 64) == bytes.count)
    #expect(head.scanned == 0)
    let next = Array("GET / HTTP/1.0\r\n\r\n".utf8)
    #expect(try head.parse(next.span, maxBytes: 4096, maxFields: 64) == next.count)
    #expect(head.method == .get)
    #expect(head.fields.isEmpty)
    #expect(head.first(.userAgent) == nil)
    #expect(head.framing == .none)
    #expect(!head.keepAlive)
    #expect(head.hostRange == nil)
    #expect(head.queryRange == nil)
    head.reset()
    #expect(head.pathRange.isEmpty)
  }

  @Test func `a slow sender's bad line end is found before the limit`() throws {
    var head = RequestHead()
    let first = Array("GET / HTTP/1.1\r\nHost: a".utf8)
    #expect(try head.parse(first.span, maxBytes: 4096, maxFields: 64) == nil)
    let second = first + Array("\n".utf8)
    #expect(throws: HeadError.bareLineFeed) {
      try head.parse(second.span, maxBytes: 4096, maxFields: 64)
    }
  }

  @Test(
    arguments: [
      ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete),
      ("PATCH", .patch), ("OPTIONS", .options), ("get", .other), ("PROPFIND", .other),
      ("ABCDEFGHIJKLMNOPQRST", .other), ("XXXXXGET", .other), ("M-SEARCH", .other),
    ] as [(String, RequestHead.Method)]
  )
  func `knows methods by their exact letters`(
    _ name: String,
    _ method: RequestHead.Method
  ) throws {
    #expect(try Self.parse("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n").head.method == method)
  }

  @Test(arguments: KnownField.allCases.filter { $0 != .other })
  func `knows its fields in any case of letters`(_ field: KnownField) throws {
    let name = Self.names[Int(field.rawValue)]
    let value = Self.values[field] ?? "x"
    let host = field == .host ? "" : "Host: a\r\n"
    for spelling in [name, name.uppercased()] {
      let source = "GET / HTTP/1.1\r\n\(host)\(spelling): \(value)\r\n\r\n"
      #expect(Self.text(try Self.parse(source).head.first(field), of: source) == value)
    }
  }

  @Test(arguments: KnownField.allCases.filter { $0 != .other })
  func `a field with one other byte is another field or refused`(_ field: KnownField) throws {
    let name = Array(Self.names[Int(field.rawValue)].utf8)
    for index in name.indices {
      for byte in UInt8.min...UInt8.max {
        guard ASCII.lowercased(byte) != name[index], byte != UInt8(ascii: ":") else { continue }
        var wrong = name
        wrong[index] = byte
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) + wrong + Array(": 0\r\n\r\n".utf8)
        var head = RequestHead()
        if ASCII.isToken(byte) {
          _ = try head.parse(bytes.span, maxBytes: 4096, maxFields: 64)
          if head.fields[1].known == field { Issue.record("byte \(byte) at \(index)") }
        } else if (try? head.parse(bytes.span, maxBytes: 4096, maxFields: 64)) != nil {
          Issue.record("byte \(byte) at \(index) was accepted")
        }
      }
    }
  }

  static let names = [
    "host", "content-length", "transfer-encoding", "connection", "expect", "upgrade",
    "authorization", "x-api-key", "cookie", "accept", "accept-encoding", "origin", "content-type",
    "x-request-id", "traceparent", "sec-websocket-key", "sec-websocket-version",
    "sec-websocket-protocol", "access-control-request-method", "range", "if-none-match",
    "if-range", "if-modified-since", "user-agent",
  ]
  static let values: [KnownField: String] = [
    .contentLength: "0", .transferEncoding: "chunked", .expect: "100-continue",
  ]

  @Test(
    arguments: [
      ("GET http://b.org:80/p?q HTTP/1.1", "b.org:80", "/p", "q"),
      ("GET HTTPS://b.org?q/r HTTP/1.1", "b.org", "/", "q/r"),
      ("GET http://b.org HTTP/1.1", "b.org", "/", nil),
      ("GET http://[::1]:8/x HTTP/1.1", "[::1]:8", "/x", nil),
      ("GET /p?a?b HTTP/1.1", "a", "/p", "a?b"), ("GET /? HTTP/1.1", "a", "/", ""),
      ("OPTIONS * HTTP/1.1", "a", "", nil),
    ] as [(String, String, String, String?)]
  )
  func `splits every form of target`(
    _ line: String,
    _ host: String,
    _ path: String,
    _ query: String?
  ) throws {
    let source = "\(line)\r\nHost: a\r\n\r\n"
    let head = try Self.parse(source).head
    #expect(Self.text(head.hostRange, of: source) == host)
    #expect(Self.text(head.pathRange, of: source) == path)
    #expect(Self.text(head.queryRange, of: source) == query)
  }

  @Test(arguments: [
    ("HTTP/1.1", "", true), ("HTTP/1.1", "Connection: close\r\n", false),
    ("HTTP/1.1", "Connection: x, , CLOSE\r\n", false),
    ("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
    ("HTTP/1.0", "", false), ("HTTP/1.0", "Connection: Keep-Alive\r\n", true),
    ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
    ("HTTP/1.1", "Connection: closed\r\n", true),
  ])
  func `decides whether the connection goes on`(
    _ version: String,
    _ fields: String,
    _ keepAlive: Bool
  ) throws {
    let source = "GET / \(version)\r\nHost: a\r\n\(fields)\r\n"
    #expect(try Self.parse(source).head.keepAlive == keepAlive)
  }

  @Test func `sees chunked bodies and upgrades`() throws {
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
    #expect(try Self.parse(chunked).head.framing == .chunked)
    let upgrade =
      "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
    #expect(try Self.parse(upgrade).head.wantsUpgradeToWebSocket)
    let half = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n"
    #expect(try !Self.parse(half).head.wantsUpgradeToWebSocket)
  }

  @Test func `passes over one empty line before the request`() throws {
    let source = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(try Self.parse(source).consumed == source.utf8.count)
    #expect(throws: HeadError.malformedRequestLine) { try Self.parse("\r\n" + source) }
  }

  @Test func `HTTP/1.0 ignores expectations and needs no host`() throws {
    let head = try Self.parse("POST / HTTP/1.0\r\nExpect: other\r\n\r\n").head
    #expect(!head.expectsContinue)
  }

  @Test func `takes as many bytes and fields as allowed, and not one more`() throws {
    let source = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n"
    let size = source.utf8.count
    #expect(try Self.parse(source + "x", maxBytes: size).consumed == size)
    #expect(try Self.parse(source, maxFields: 2).consumed == size)
    #expect(throws: HeadError.headTooLong(limit: size - 1)) {
      try Self.parse(source, maxBytes: size - 1)
    }
    #expect(throws: HeadError.tooManyFields(limit: 1)) { try Self.parse(source, maxFields: 1) }
    #expect(throws: HeadError.requestLineTooLong(limit: 15)) {
      try Self.parse(source, maxBytes: 15)
    }
    #expect(throws: HeadError.headTooLong(limit: 16)) { try Self.parse(source, maxBytes: 16) }
  }
}
