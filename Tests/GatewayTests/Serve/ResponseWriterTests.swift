import CLinux
import CGatewayPlugin
import Testing
import Wire

@testable import Gateway

/// An answer taken apart: status line, fields in order, and body.
struct ParsedAnswer {
  let status: String
  let fields: [(name: String, value: String)]
  let body: [UInt8]

  init?(_ bytes: [UInt8]) {
    let end = Array("\r\n\r\n".utf8)
    guard let gap = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else {
      return nil
    }
    let lines = String(decoding: bytes[..<gap], as: UTF8.self).split(
      separator: "\r\n",
      omittingEmptySubsequences: false
    )
    status = String(lines[0])
    var fields: [(String, String)] = []
    for line in lines.dropFirst() {
      guard let colon = line.range(of: ": ") else { return nil }
      fields.append((String(line[..<colon.lowerBound]), String(line[colon.upperBound...])))
    }
    self.fields = fields
    body = Array(bytes[(gap + 4)...])
  }

  subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  func count(_ name: String) -> Int { fields.count { $0.name.lowercased() == name.lowercased() } }

  var json: JSON? { try? JSON.parse(body) }
}

extension Substring {
  fileprivate func range(of text: String) -> Range<Index>? {
    indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
  }
}

@Suite("Answers as bytes")
struct ResponseWriterTests {
  private let monotonic: Int64 = 1_000_000_000

  private func exchange(_ change: (Exchange) -> Void = { _ in }) -> Exchange {
    let exchange = Exchange()
    exchange.requestID = Array("req-1".utf8)
    change(exchange)
    return exchange
  }

  /// What `render` writes for an exchange.
  private func answer(
    _ exchange: Exchange,
    corsVaries: Bool = false,
    _ render: (inout ResponseWriter, Exchange) -> Void
  ) throws -> ParsedAnswer {
    var writer = ResponseWriter(corsVaries: corsVaries)
    writer.refresh(now: monotonic)
    render(&writer, exchange)
    return try #require(ParsedAnswer(writer.out))
  }

  private func success(
    _ exchange: Exchange,
    status: UInt16 = 200,
    message: String = "",
    data: String = "",
    fields: RenderedFields = RenderedFields()
  ) throws -> ParsedAnswer {
    try answer(exchange) { writer, exchange in
      Array(message.utf8).withUnsafeBytes { message in
        Array(data.utf8).withUnsafeBytes { data in
          writer.success(
            exchange,
            status: status,
            message: message,
            data: data,
            fields: fields
          )
        }
      }
    }
  }

  @Test func `a success is the envelope`() throws {
    let exchange = exchange()
    let answer = try success(exchange, message: "do\"ne", data: #"{"n":[1,2]}"#)
    #expect(answer.status == "HTTP/1.1 200 OK")
    #expect(answer["Content-Type"] == "application/json")
    #expect(answer["Content-Length"] == "\(answer.body.count)")
    let json = try #require(answer.json)
    #expect(
      json.asMembers?.map(\.name) == ["success", "data", "message", "timestamp", "request_id"]
    )
    #expect(json["success"] == true && json["message"] == "do\"ne" && json["request_id"] == "req-1")
    #expect(json["data"] == ["n": [1, 2]])
    #expect(json["timestamp"]?.asString.flatMap { Timestamp.parse($0) } != nil)
    #expect(exchange.status == 200 && exchange.bodyBytes == answer.body.count)
  }

  @Test func `a success without data has null`() throws {
    #expect(try success(exchange()).json?["data"] == .null)
  }

  @Test func `every answer has date, security fields and its request id, each once`() throws {
    let answer = try success(exchange())
    let date = try #require(answer["Date"])
    let parsed = HTTPDate.parse(Array(date.utf8).span)
    let seconds = try #require(parsed)
    #expect(abs(seconds - linux_realtime() / 1_000_000_000) <= 2)
    #expect(answer["X-Content-Type-Options"] == "nosniff")
    #expect(answer["X-Frame-Options"] == "DENY")
    #expect(answer["Referrer-Policy"] == "no-referrer")
    #expect(answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'")
    #expect(answer["Cache-Control"] == "no-store")
    #expect(answer["X-Request-ID"] == "req-1")
    #expect(Set(answer.fields.map(\.name)).count == answer.fields.count)
    #expect(answer["Vary"] == nil && answer["Connection"] == nil)
  }

  @Test func `the rendered second is kept until the next`() throws {
    var writer = ResponseWriter(corsVaries: false)
    #expect(writer.unixTime == 0)
    writer.refresh(now: 0)
    let first = writer.unixTime
    #expect(first > 1_700_000_000)
    writer.refresh(now: 0)
    #expect(writer.unixTime == first)
    writer.refresh(now: 2_000_000_000)
    #expect(writer.unixTime >= first)
  }

  @Test func `an error is the envelope with its code`() throws {
    var failure = Failure(422, "VALIDATION_ERROR", "n must be a number", lines: "X-More: 1\r\n")
    failure.details = Array(#"{"n":"x"}"#.utf8)
    let exchange = exchange()
    let answer = try answer(exchange) { $0.failure($1, failure) }
    #expect(answer.status == "HTTP/1.1 422 Unprocessable Content")
    #expect(answer["X-More"] == "1")
    let json = try #require(answer.json)
    #expect(
      json.asMembers?.map(\.name)
        == ["success", "error_code", "message", "details", "timestamp", "request_id"]
    )
    #expect(json["success"] == false && json["error_code"] == "VALIDATION_ERROR")
    #expect(json["details"] == ["n": "x"])
    #expect(exchange.status == 422)
  }

  @Test func `an error without details has no such member`() throws {
    let answer = try answer(exchange()) { $0.failure($1, Failure(404, "X", "y")) }
    #expect(answer.json?["details"] == nil)
  }

  @Test func `an error for who prefers it is problem+json, RFC 9457`() throws {
    let exchange = exchange { $0.prefersProblem = true }
    let answer = try answer(exchange) { $0.failure($1, Failure(.notFound)) }
    #expect(answer["Content-Type"] == "application/problem+json")
    let json = try #require(answer.json)
    #expect(json["type"] == "about:blank" && json["title"] == "Not Found" && json["status"] == 404)
    #expect(json["error_code"] == "RESOURCE_NOT_FOUND" && json["request_id"] == "req-1")
    #expect(json["detail"]?.asString?.isEmpty == false)
  }

  @Test func `HEAD gets the same head and no body`() throws {
    let get = try success(exchange(), data: "[1,2,3]")
    let head = try success(exchange { $0.isHead = true }, data: "[1,2,3]")
    #expect(head.body.isEmpty)
    #expect(head["Content-Length"] == get["Content-Length"])
    #expect(head.fields.map(\.name) == get.fields.map(\.name))
  }

  @Test(arguments: [204, 304] as [UInt16])
  func `a status that has no body has no length and no type`(
    _ status: UInt16
  ) throws {
    let answer = try answer(exchange()) { writer, exchange in
      [UInt8](repeating: 1, count: 10).withUnsafeBytes {
        writer.raw(exchange, status: status, content: $0, fields: RenderedFields())
      }
    }
    #expect(answer.body.isEmpty)
    #expect(answer["Content-Length"] == nil && answer["Content-Type"] == nil)
  }

  @Test func `says when the connection ends, and to HTTP/1.0 when it does not`() throws {
    #expect(try success(exchange { $0.keepAlive = false })["Connection"] == "close")
    #expect(try success(exchange { $0.isHTTP10 = true })["Connection"] == "keep-alive")
    #expect(
      try success(
        exchange {
          $0.isHTTP10 = true
          $0.keepAlive = false
        }
      )["Connection"] == "close"
    )
  }

  @Test func `the lines of the exchange and of the plugin are there`() throws {
    var fields = RenderedFields()
    fields.lines = Array("X-Plugin: 1\r\n".utf8)
    let answer = try success(
      exchange { $0.lines = Array("RateLimit: \"minute\";r=1;t=2\r\n".utf8) },
      fields: fields
    )
    #expect(answer["X-Plugin"] == "1")
    #expect(answer["RateLimit"] == "\"minute\";r=1;t=2")
  }

  @Test func `a plugin's own type, caching and policy replace the host's`() throws {
    let fields = withFields([
      ("Content-Type", "text/html"), ("Cache-Control", "max-age=60"),
      ("Content-Security-Policy", "default-src 'self'"),
    ]) { RenderedFields($0) }
    let answer = try answer(exchange()) { writer, exchange in
      Array("<p>".utf8).withUnsafeBytes {
        writer.raw(exchange, status: 201, content: $0, fields: fields)
      }
    }
    #expect(answer.status == "HTTP/1.1 201 Created")
    for name in ["Content-Type", "Cache-Control", "Content-Security-Policy"] {
      #expect(answer.count(name) == 1)
    }
    #expect(answer["Content-Type"] == "text/html" && answer.body == Array("<p>".utf8))
  }

  @Test func `a plugin's bytes without a type are bytes`() throws {
    let answer = try answer(exchange()) { writer, exchange in
      [UInt8](0...255).withUnsafeBytes {
        writer.raw(exchange, status: 200, content: $0, fields: RenderedFields())
      }
    }
    #expect(answer["Content-Type"] == "application/octet-stream")
    #expect(answer.body == [UInt8](0...255))
  }

  @Test func `answers differ by origin only where origins are configured`() throws {
    let answer = try answer(exchange(), corsVaries: true) { $0.failure($1, Failure(.notFound)) }
    #expect(answer["Vary"] == "Origin")
  }

  // MARK: - Compression

  private func raw(
    _ exchange: Exchange,
    _ content: [UInt8],
    status: UInt16 = 200,
    _ fields: [(String, String)]
  ) throws -> ParsedAnswer {
    let fields = withFields(fields) { RenderedFields($0) }
    return try answer(exchange) { writer, exchange in
      content.withUnsafeBytes {
        writer.raw(exchange, status: status, content: $0, fields: fields)
      }
    }
  }

  @Test func `a text is compressed from the smallest worthwhile size on, for who takes it`() throws
  {
    let text = [("Content-Type", "text/plain")]
    for count in [Gzip.plainBytes, Gzip.plainBytes + 1] {
      let body = [UInt8](repeating: UInt8(ascii: "a"), count: count)
      let taker = exchange { $0.acceptsGzip = true }
      let answer = try raw(taker, body, text)
      let isPacked = count > Gzip.plainBytes
      #expect(answer["Content-Encoding"] == (isPacked ? "gzip" : nil))
      let varies = isPacked ? "Accept-Encoding" : nil  // a short body is the same for everyone
      #expect(answer["Vary"] == varies)
      #expect(answer["Content-Length"] == "\(answer.body.count)")
      #expect((isPacked ? gunzip(answer.body) : answer.body) == body)
      #expect(taker.bodyBytes == count)
      let plain = try raw(exchange(), body, text)
      #expect(plain["Content-Encoding"] == nil && plain.body == body)
      #expect(plain["Vary"] == varies)
    }
  }

  @Test func `what is compressed already, or no text, is left alone`() throws {
    let body = [UInt8](repeating: 1, count: 2_000)
    let taker = exchange { $0.acceptsGzip = true }
    for fields in [
      [("Content-Type", "image/png")], [],
      [("Content-Type", "text/plain"), ("Content-Encoding", "br")],
    ] {
      let answer = try raw(taker, body, fields)
      #expect(answer.count("Content-Encoding") == (fields.count == 2 ? 1 : 0))
      #expect(answer.body == body)
    }
  }

  // RFC 9110 §14.4: Content-Range counts the bytes of the coded form, which the plugin did not make.
  @Test func `a part of a text is not compressed`() throws {
    let body = [UInt8](repeating: UInt8(ascii: "a"), count: 2_000)
    let answer = try raw(
      exchange { $0.acceptsGzip = true },
      body,
      status: 206,
      [("Content-Type", "text/plain"), ("Content-Range", "bytes 0-1999/5000")]
    )
    #expect(answer["Content-Encoding"] == nil)
    #expect(answer.body == body)
  }

  // MARK: - Streams

  @Test func `a stream's head frames what follows`() throws {
    let known = try answer(exchange()) {
      $0.streamHead($1, status: 200, fields: RenderedFields(), length: 12)
    }
    #expect(known["Content-Length"] == "12" && known["Transfer-Encoding"] == nil)
    let open = try answer(exchange { $0.isChunked = true }) {
      $0.streamHead($1, status: 202, fields: RenderedFields(), length: .max)
    }
    #expect(open["Transfer-Encoding"] == "chunked" && open["Content-Length"] == nil)
    #expect(open.status == "HTTP/1.1 202 Accepted")
    let old = try answer(exchange { $0.keepAlive = false }) {
      $0.streamHead($1, status: 200, fields: RenderedFields(), length: .max)
    }
    #expect(old["Transfer-Encoding"] == nil && old["Content-Length"] == nil)
    #expect(old["Connection"] == "close")
  }
}
