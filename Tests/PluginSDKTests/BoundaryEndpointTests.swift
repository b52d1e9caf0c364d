import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing
import Wire

@Suite("Requests and answers, through the C functions")
struct BoundaryEndpointTests {
  @Test func `passes what the author declared`() throws {
    let loaded = try Loaded { _ in
      Route.upload(
        "/v1/upload",
        scope: .write,
        summary: "Takes a file",
        limits: .init(maxBody: 1000, timeout: .milliseconds(1500))
      ) { _ in throw Failure.conflict("no") }
    }
    let route = try #require(loaded.host.record.withLock { $0.routes.first })
    #expect(route.method == "POST")
    #expect(route.pattern == "/v1/upload")
    #expect(route.scope == "write")
    #expect(route.flags == GW_ROUTE_STREAM)
    #expect(route.maxBody == 1000)
    #expect(route.timeout == 1500)
    let operation = try JSON.parse(route.operation)
    #expect(operation["summary"] == "Takes a file")
    #expect(operation["operationId"] == "test_post_v1_upload")
  }

  @Test func `a public route has no scope and an inline one no body function`() throws {
    let loaded = try Loaded { _ in
      Route.get("/v1/a", scope: .anyone, summary: "A", runs: .inline) { _ in .data(1) }
    }
    let route = try #require(loaded.host.record.withLock { $0.routes.first })
    #expect(route.scope.isEmpty)
    #expect(route.flags == GW_ROUTE_INLINE | GW_ROUTE_PUBLIC)
    #expect(route.handler.body == nil)
  }

  @Test func `an inline answer leaves nothing behind`() throws {
    let loaded = try Loaded { _ in
      Route.get("/v1/a", scope: .read, summary: "A", runs: .inline) { _ in
        .data(["n": 1], message: "Done", status: 201, fields: ["X-A": "1", "X-B": "2"])
      }
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    #expect(exchange.state == nil)
    exchange.end()
    #expect(
      loaded.host.answers == [
        FakeAnswer(
          kind: "reply",
          request: 1,
          status: 201,
          message: "Done",
          body: "{\"n\":1}",
          fields: ["X-A: 1", "X-B: 2"]
        )
      ]
    )
  }

  @Test func `shows the whole request, and only copies of it`() throws {
    let seen = Mutex<[String]>([])
    let loaded = try Loaded { _ in
      Route.post("/v1/{a}", scope: .write, summary: "A") { request in
        let lent = request.withBody { $0.count }
        let all = [
          request.method, request.target, request.path, request.rawQuery, request.parameter("a"),
          request.field("content-TYPE") ?? "", request.field("nothing") ?? "none",
          "\(request.fields.all.count)", String(decoding: request.body, as: UTF8.self), "\(lent)",
          request.caller.subject, request.caller.tier, "\(request.caller.isAuthenticated)",
          "\(request.caller.hasSecondFactor)", "\(request.caller.may(.write))",
          "\(request.caller.may(.admin))", request.id, request.traceID, request.peer,
          "\(request.deadline)", try request.query("q") ?? "", "\(request.isCancelled)",
          "\(request.announcedLength ?? 0)",
        ]
        seen.withLock { $0 = all }
        return .data(encoded: Array("[1]".utf8))
      }
    }
    let exchange = try loaded.request()
    let status = exchange.send(
      path: "/v1/x%20y",
      query: "q=a+b%21&r",
      parameters: [("a", "x y")],
      fields: [("Content-Type", "text/plain"), ("X", "1")],
      body: "hello"
    )
    #expect(status == GW_OK)
    exchange.end()
    #expect(
      seen.withLock { $0 } == [
        "POST", "/v1/x%20y?q=a+b%21&r", "/v1/x%20y", "q=a+b%21&r", "x y", "text/plain", "none", "2",
        "hello", "5", "alice", "standard", "true", "false", "true", "false", "req-1",
        "0af7651916cd43dd8448eb211c80319c", "192.0.2.1", "9.0 seconds", "a b!", "false", "5",
      ]
    )
    #expect(loaded.host.answers.first?.body == "[1]")
  }

  @Test func `a thrown failure is the answer`() throws {
    let loaded = try Loaded { _ in
      Route.get("/v1/a", scope: .read, summary: "A") { _ in throw Failure.notFound("No such a.") }
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    let answer = try #require(loaded.host.answers.first)
    #expect(answer.kind == "fail")
    #expect(answer.status == 404)
    #expect(answer.code == "RESOURCE_NOT_FOUND")
    #expect(answer.message == "No such a.")
    #expect(loaded.host.logLines.isEmpty)
  }

  @Test func `any other error is 500 without its text, which is in the log with the request`()
    throws
  {
    let loaded = try Loaded { _ in
      Route.get("/v1/a", scope: .read, summary: "A") { _ in throw PluginFailure("disk /x is full") }
    }
    let exchange = try loaded.request(id: 42)
    #expect(exchange.send() == GW_OK)
    exchange.end()
    let answer = try #require(loaded.host.answers.first)
    #expect(answer.status == 500)
    #expect(answer.code == "INTERNAL_ERROR")
    #expect(!answer.message.contains("disk"))
    let line = try #require(loaded.host.logLines.first)
    #expect(line.hasPrefix("3 42 "))
    #expect(line.contains("disk /x is full"))
  }

  @Test func `an answer the host refuses is a status below 0 with a sentence`() throws {
    let host = FakeHost(refusals: ["respond": GW_E_ARGUMENT])
    let loaded = try Loaded(on: host) { _ in
      Route.get("/v1/a", scope: .read, summary: "A") { _ in
        .bytes([1], contentType: "", fields: ["Connection": "close"])
      }
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_E_ARGUMENT)
    exchange.end()
    #expect(host.sentence.contains("refused the answer"))
  }

  @Test func `a handler sees that its request was cancelled`() throws {
    let seen = Mutex<[Bool]>([])
    let running = Mutex<FakeExchange?>(nil)
    let loaded = try Loaded { _ in
      Route.get("/v1/a", scope: .read, summary: "A") { request in
        let before = request.isCancelled
        running.withLock { $0 }?.cancel(GW_CANCEL_PEER_GONE)
        let after = request.isCancelled
        seen.withLock { $0 = [before, after] }
        return .data(1)
      }
    }
    let exchange = try loaded.request()
    running.withLock { $0 = exchange }
    loaded.host.record.withLock { _ = $0.settled.insert(1) }
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(seen.withLock { $0 } == [false, true])
    #expect(loaded.host.answers.isEmpty)
  }
}
