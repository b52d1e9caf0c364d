import CGatewayPlugin
import Testing
import Wire

@testable import Gateway

@Suite("A request as a plugin sees it")
struct RequestImageTests {
  private func image(
    _ text: String,
    parameters: [(name: String, value: [UInt8])] = [],
    body: [UInt8] = [],
    caller: Caller? = nil
  ) throws -> RequestImage {
    let bytes = Array(text.utf8)
    var head = RequestHead()
    let length = try head.parse(bytes.span, maxBytes: 4096, maxFields: 20)
    try #require(length == bytes.count)
    return RequestImage(
      bytes: bytes,
      head: RequestView.Head(head),
      parameters: parameters,
      body: body,
      caller: caller,
      requestID: Array("req-1".utf8),
      traceID: Array("trace".utf8),
      peer: Array("::1".utf8),
      deadline: 99
    )
  }

  private func pairs(_ fields: UnsafePointer<gw_field>?, _ count: Int) -> [String] {
    UnsafeBufferPointer(start: fields, count: count).map {
      "\($0.name.text ?? "?"): \($0.value.text ?? "?")"
    }
  }

  @Test func `has line, fields and body as they came`() throws {
    let image = try image(
      "POST /a%20b?q=1&r HTTP/1.1\r\nHost: h\r\nX-One:  1 \r\nx-one: 2\r\nContent-Length: 3\r\n\r\n",
      body: [1, 2, 3]
    )
    image.withRequest(handle: 42) { request in
      let request = request.pointee
      #expect(request.handle.v == 42)
      #expect(request.method.text == "POST" && request.target.text == "/a%20b?q=1&r")
      #expect(request.path.text == "/a%20b" && request.query.text == "q=1&r")
      #expect(
        pairs(request.fields, request.field_count)
          == ["Host: h", "X-One: 1", "x-one: 2", "Content-Length: 3"]
      )
      #expect(request.body.copied == [1, 2, 3] && request.body_length == 3)
      #expect(request.request_id.text == "req-1" && request.trace_id.text == "trace")
      #expect(request.peer.text == "::1" && request.deadline == 99)
      #expect(request.parameter_count == 0 && request.flags == 0)
      #expect(request.subject.count == 0 && request.scopes.count == 0)
    }
  }

  @Test func `never has the credentials`() throws {
    let image = try image(
      "GET / HTTP/1.1\r\nHost: h\r\nAUTHORIZATION: Bearer x\r\nx-api-key: y\r\nCookie: z\r\nA: b\r\n\r\n"
    )
    image.withRequest(handle: 1) { request in
      #expect(pairs(request.pointee.fields, request.pointee.field_count) == ["Host: h", "A: b"])
    }
  }

  @Test func `has the parameters decoded, empty bytes among them`() throws {
    let image = try image(
      "GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
      parameters: [("id", Array("a/b".utf8)), ("empty", []), ("raw", [0xFF])]
    )
    image.withRequest(handle: 1) { request in
      let list = UnsafeBufferPointer(
        start: request.pointee.parameters,
        count: request.pointee.parameter_count
      )
      #expect(list.map { $0.name.text } == ["id", "empty", "raw"])
      #expect(list.map { $0.value.copied } == [Array("a/b".utf8), [], [0xFF]])
    }
  }

  @Test func `says that a chunked body's length is not known`() throws {
    let image = try image("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
    image.withRequest(handle: 1) { #expect($0.pointee.body_length == .max) }
  }

  @Test(arguments: [false, true]) func `says who calls, as verified`(_ mfa: Bool) throws {
    let identity = Identity(
      subject: "user1",
      scopes: ["read", "write"],
      tier: "premium",
      mfaVerified: mfa
    )
    let caller = Caller(
      identity,
      tier: RateTiers(Tier.standardTiers).named("premium"),
      window: RateWindows(callers: 10).window(for: RateKey.address("x"))
    )
    let image = try image("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", caller: caller)
    image.withRequest(handle: 1) { request in
      let request = request.pointee
      #expect(request.subject.text == "user1" && request.scopes.text == "read write")
      #expect(request.tier.text == "premium")
      let flags = UInt32(GW_REQUEST_AUTHENTICATED) | (mfa ? UInt32(GW_REQUEST_MFA) : 0)
      #expect(request.flags == flags)
    }
  }
}
