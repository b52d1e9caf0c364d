import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing
import Wire

@Suite("Request bodies as they arrive")
struct BodySinkTests {
  /// Counts bytes, and what was done with it.
  final class Counting: BodySink {
    let lives: Lives
    let abandonments: Lives
    let limit: Int
    var count = 0

    init(_ lives: Lives, _ abandonments: Lives, limit: Int = .max) {
      self.lives = lives
      self.abandonments = abandonments
      self.limit = limit
      lives.begin()
    }
    deinit { lives.end() }

    func receive(_ bytes: Span<UInt8>) throws {
      count += bytes.count
      if count > limit { throw Failure.tooLarge(limit: limit) }
    }
    func finish() throws -> Response {
      if count == 0 { throw Failure.badRequest("empty") }
      return .data(["bytes": .integer(Int64(count))])
    }
    func abandoned() { abandonments.begin() }
  }

  let lives = Lives()
  let abandonments = Lives()

  private func uploading(limit: Int = .max) throws -> Loaded {
    try Loaded { [lives, abandonments] _ in
      Route.upload("/v1/u", scope: .write, summary: "U", limits: .init()) { _ in
        Counting(lives, abandonments, limit: limit)
      }
    }
  }

  @Test func `receives every chunk, answers at the last and frees the sink once`() throws {
    let loaded = try uploading()
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    #expect(exchange.body("abc", last: false) == GW_OK)
    #expect(exchange.body("de", last: false) == GW_OK)
    #expect(exchange.body("", last: true) == GW_OK)
    exchange.end()
    #expect(loaded.host.answers.map(\.body) == ["{\"bytes\":5}"])
    #expect(lives.ended == 1)
    #expect(abandonments.began == 0)
  }

  @Test func `a cut-off upload is abandoned and freed`() throws {
    let loaded = try uploading()
    let exchange = try loaded.request()
    _ = exchange.send()
    _ = exchange.body("abc", last: false)
    exchange.cancel(GW_CANCEL_BODY)
    #expect(abandonments.began == 0)
    exchange.end()
    #expect(abandonments.began == 1)
    #expect(lives.ended == 1)
    #expect(loaded.host.answers.isEmpty)
  }

  @Test func `a refusal in the middle is the answer, and no more is read`() throws {
    let loaded = try uploading(limit: 4)
    let exchange = try loaded.request()
    _ = exchange.send()
    #expect(exchange.body("abcd", last: false) == GW_OK)
    #expect(exchange.body("e", last: false) < 0)
    #expect(abandonments.began == 1)
    #expect(exchange.body("f", last: true) == GW_E_GONE)
    exchange.end()
    #expect(abandonments.began == 1)
    #expect(lives.ended == 1)
    #expect(loaded.host.answers.map(\.status) == [413])
  }

  @Test func `a refusal at the end is the answer`() throws {
    let loaded = try uploading()
    let exchange = try loaded.request()
    _ = exchange.send()
    _ = exchange.body("", last: true)
    exchange.end()
    #expect(loaded.host.answers.map(\.status) == [400])
    #expect(abandonments.began == 1)
    #expect(lives.ended == 1)
  }

  @Test func `an opener that throws answers before the body`() throws {
    let loaded = try Loaded { _ in
      Route.upload("/v1/u", scope: .write, summary: "U", limits: .init()) { _ in
        throw Failure.unsupportedMediaType(allowed: ["multipart/form-data"])
      }
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(loaded.host.answers.map(\.status) == [415])
  }
}
