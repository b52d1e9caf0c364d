import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing

@Suite("Streamed answers")
struct ResponseWriterTests {
  private static func streaming(
    _ host: FakeHost = FakeHost(),
    length: Int? = nil,
    runs: Route.Place = .worker,
    _ produce: @escaping @Sendable (borrowing ResponseWriter) throws -> Void
  ) throws -> Loaded {
    try Loaded(on: host) { _ in
      Route.get("/v1/a", scope: .read, summary: "A", runs: runs) { _ in
        .stream(fields: ["Content-Type": "text/plain"], length: length, produce)
      }
    }
  }

  @Test func `starts, writes and finishes`() throws {
    let loaded = try Self.streaming(length: 6) { writer in
      try writer.write("abc")
      try writer.write([100, 101, 102])
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(loaded.host.answers.map(\.kind) == ["start", "finish"])
    #expect(loaded.host.answers.first?.body == "6")
    #expect(loaded.host.answers.first?.fields == ["Content-Type: text/plain"])
    #expect(loaded.host.record.withLock { $0.chunks }.joined().elementsEqual("abcdef".utf8))
  }

  @Test func `cuts at 64 KiB and not before`() throws {
    let loaded = try Self.streaming { writer in
      try writer.write([UInt8](repeating: 1, count: 65_536))
      try writer.write([UInt8](repeating: 2, count: 65_537))
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(loaded.host.record.withLock { $0.chunks.map(\.count) } == [65_536, 65_536, 1])
  }

  @Test func `waits for room that another thread reports`() throws {
    let host = FakeHost(refusals: ["write": GW_AGAIN])
    let loaded = try Self.streaming(host) { writer in
      try writer.write("a")
      try writer.write("b")
    }
    let exchange = try loaded.request()
    let client = OtherThread {
      for count in 1...2 {
        _ = eventually { host.record.withLock { $0.chunks.count } == count }
        // Told again and again, because room may be reported before the writer waits for it.
        _ = eventually {
          exchange.writable()
          return host.record.withLock { $0.chunks.count > count || $0.answers.count > 1 }
        }
      }
    }
    #expect(exchange.send() == GW_OK)
    client.join()
    exchange.end()
    #expect(host.answers.map(\.kind) == ["start", "finish"])
  }

  @Test func `room reported before write returned is not lost`() throws {
    let host = FakeHost(refusals: ["write": GW_AGAIN])
    let loaded = try Self.streaming(host) { try $0.write("a") }
    let exchange = try loaded.request()
    host.onWrite.withLock { $0 = { exchange.writable() } }
    #expect(exchange.send() == GW_OK)
    host.onWrite.withLock { $0 = nil }
    exchange.end()
    #expect(host.answers.map(\.kind) == ["start", "finish"])
  }

  @Test func `a cancel wakes the writer, and later writes are gone`() throws {
    let host = FakeHost(refusals: ["write": GW_AGAIN])
    let errors = Mutex<[HostRefusal]>([])
    let loaded = try Self.streaming(host) { writer in
      for _ in 0..<2 {
        do throws(HostRefusal) {
          try writer.write("a")
        } catch {
          errors.withLock { $0.append(error) }
        }
      }
      let isCancelled = writer.isCancelled
      #expect(isCancelled)
    }
    let exchange = try loaded.request()
    let client = OtherThread {
      _ = eventually { host.record.withLock { $0.chunks.count } == 1 }
      exchange.cancel(GW_CANCEL_PEER_GONE)
    }
    #expect(exchange.send() == GW_OK)
    client.join()
    exchange.end()
    #expect(errors.withLock { $0 } == [.gone, .gone])
    #expect(host.record.withLock { $0.chunks.count } == 1)
  }

  @Test func `an error of the producer cuts the answer off and is logged`() throws {
    let loaded = try Self.streaming { writer in
      try writer.write("a")
      throw PluginFailure("read failed")
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(loaded.host.answers.map(\.kind) == ["start", "abort"])
    #expect(loaded.host.logLines.contains { $0.contains("read failed") })
  }

  @Test func `an inline route streams from a worker`() throws {
    let loaded = try Self.streaming(runs: .inline) { try $0.write("a") }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    #expect(loaded.host.answers.isEmpty)
    let job = try #require(loaded.host.record.withLock { $0.jobs.first })
    job.function(job.user, gw_job(v: 0))
    exchange.end()
    #expect(loaded.host.answers.map(\.kind) == ["start", "finish"])
  }

  @Test func `an inline route whose worker cannot be had answers 503`() throws {
    let host = FakeHost(refusals: ["submit": GW_E_BUSY])
    let loaded = try Self.streaming(host, runs: .inline) { try $0.write("a") }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(host.answers.map(\.status) == [503])
    #expect(host.answers.first?.fields == ["Retry-After: 1"])
  }

  @Test func `server-sent events keep to their lines`() throws {
    let loaded = try Self.streaming { writer in
      try writer.event("one\ntwo", name: "no\nte")
      try writer.event("")
    }
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_OK)
    exchange.end()
    let text = loaded.host.record.withLock { String(decoding: $0.chunks.joined(), as: UTF8.self) }
    #expect(text == "event: note\ndata: one\ndata: two\n\ndata: \n\n")
  }
}
