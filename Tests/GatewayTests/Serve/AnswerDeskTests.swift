import CGatewayPlugin
import CLinux
import Synchronization
import Testing
import Wire

@testable import Gateway

/// What an inline handler does with its request, and which that was.
private final class Answerer: Sendable {
  typealias Act = @Sendable (AnswerDesk, UInt64, UInt64) -> gw_status

  let handle = Atomic<UInt64>(0)
  private let desk: AnswerDesk
  private let owner: UInt64
  private let act: Act

  init(_ desk: AnswerDesk, owner: UInt64, _ act: @escaping Act) {
    self.desk = desk
    self.owner = owner
    self.act = act
  }

  func run(_ request: UInt64) -> gw_status {
    handle.store(request, ordering: .relaxed)
    return act(desk, request, owner)
  }

  static var handler: gw_http_handler_v1 {
    gw_http_handler_v1(
      request: { user, request, _ in
        guard let user else { return GW_E_INTERNAL }
        return Unmanaged<Answerer>.fromOpaque(user).takeUnretainedValue().run(
          request.pointee.handle.v
        )
      },
      body: nil,
      writable: nil,
      cancel: nil,
      end: nil
    )
  }

  var user: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }
}

/// Lends bytes and counts how often each was given back.
private final class Releases: Sendable {
  private let all = Mutex<[Int]>([])

  var counts: [Int] { all.withLock { $0 } }

  func lend<Result>(_ text: String, _ body: (gw_buffer) -> Result) -> Result {
    var count = 0
    defer { all.withLock { [count] in $0.append(count) } }
    return withUnsafeMutablePointer(to: &count) { count in
      withLent(text) { bytes in
        body(
          gw_buffer(
            bytes: bytes,
            release: { owner, _, _ in owner?.assumingMemoryBound(to: Int.self).pointee += 1 },
            owner: UnsafeMutableRawPointer(count)
          )
        )
      }
    }
  }
}

@Suite("Answers on their way to the loop")
struct AnswerDeskTests {
  /// What a client gets from an inline route that does `act`.
  private func answer(_ act: @escaping Answerer.Act) throws -> ParsedAnswer {
    let routes = try RouteBench()
    let bench = try ServerBench()
    try bench.claimThread()
    let answerer = Answerer(bench.desk, owner: routes.instance.context, act)
    var terms = RouteTerms()
    terms.isInline = true
    terms.isPublic = true
    let route = try routes.route(
      "GET",
      "/x",
      terms,
      handler: Answerer.handler,
      user: answerer.user
    )
    bench.core.publish(RouteTable(pluginRoutes: [route]), topics: [])
    let answer = try bench.answer("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(route.inFlight.load(ordering: .acquiring) == 0)
    #expect(route.requests.load(ordering: .relaxed) == 1)
    // Whatever comes after the answer comes too late.
    let handle = answerer.handle.load(ordering: .relaxed)
    #expect(bench.desk.finish(handle, owner: routes.instance.context) == GW_E_GONE)
    #expect(bench.desk.abort(handle, owner: routes.instance.context, reason: "x") == GW_E_GONE)
    #expect(Self.requestID(handle, bench.desk) == "")
    try routes.end()
    return answer
  }

  /// The id that log lines about `handle` get: empty when the request is gone, `nil` when none came yet.
  private static func requestID(_ handle: UInt64, _ desk: AnswerDesk) -> String? {
    let found = Mutex<String?>(nil)
    desk.withRequestID(of: handle) { id in found.withLock { $0 = id ?? "" } }
    return found.withLock { $0 }
  }

  @Test func `a log line within the handler finds the request's id at once`() throws {
    let found = Mutex<String?>(nil)
    let answer = try answer { desk, request, _ in
      found.withLock { $0 = Self.requestID(request, desk) }
      return GW_E_INTERNAL
    }
    #expect(found.withLock { $0 } == answer.json?["request_id"]?.asString)
    #expect(found.withLock { $0 }?.isEmpty == false)
  }

  @Test func `a reply within the handler is the answer, and only the first`() throws {
    let answer = try answer { desk, request, owner in
      withLent("done") { message in
        withLent("[1]") { data in
          func reply(_ status: UInt16, owner: UInt64) -> gw_status {
            desk.reply(
              request,
              owner: owner,
              status: status,
              message: message,
              data: data,
              fields: UnsafeBufferPointer(start: nil, count: 0)
            )
          }
          let results = [
            reply(200, owner: owner + 1), reply(201, owner: owner), reply(200, owner: owner),
          ]
          return results == [GW_E_GONE, GW_OK, GW_E_GONE] ? GW_OK : GW_E_INTERNAL
        }
      }
    }
    #expect(answer.status == "HTTP/1.1 201 Created")
    #expect(answer.json?["data"] == [1] && answer.json?["message"] == "done")
  }

  @Test func `a failure has the code of its status when it names none`() throws {
    let answer = try answer { desk, request, owner in
      withLent("gone already") { message in
        desk.fail(
          request,
          owner: owner,
          status: 409,
          code: .empty,
          message: message,
          details: .empty,
          fields: UnsafeBufferPointer(start: nil, count: 0)
        )
      }
    }
    #expect(answer.status == "HTTP/1.1 409 Conflict")
    #expect(answer.json?["error_code"] == "CONFLICT")
  }

  @Test func `bytes with an owner are given back once, also when they come too late`() throws {
    let releases = Releases()
    let answer = try answer { desk, request, owner in
      for text in ["first", "second"] {
        _ = releases.lend(text) { body in
          desk.respond(
            request,
            owner: owner,
            status: 200,
            fields: UnsafeBufferPointer(start: nil, count: 0),
            body: body
          )
        }
      }
      return GW_OK
    }
    #expect(answer.body == Array("first".utf8))
    #expect(releases.counts == [1, 1])
  }

  @Test func `GW_OK without an answer, and an error, are 500`() throws {
    for status in [GW_OK, GW_E_INTERNAL] {
      let answer = try answer { _, _, _ in status }
      #expect(answer.status == "HTTP/1.1 500 Internal Server Error")
      #expect(answer.json?["error_code"] == "INTERNAL_ERROR")
    }
  }

  @Test func `a handle of no loop is gone, and its bytes come back`() throws {
    let bench = try ServerBench()
    let releases = Releases()
    for handle in [0, 5, 1 << 56, 2 << 56, .max] as [UInt64] {
      #expect(releases.lend("x") { bench.desk.write(handle, owner: 1, bytes: $0) } == GW_E_GONE)
      #expect(bench.desk.finish(handle, owner: 1) == GW_E_GONE)
      #expect(bench.desk.abort(handle, owner: 1, reason: "x") == GW_E_GONE)
      #expect((Self.requestID(handle, bench.desk) ?? "").isEmpty)
    }
    #expect(releases.counts == [1, 1, 1, 1, 1])
  }
}
