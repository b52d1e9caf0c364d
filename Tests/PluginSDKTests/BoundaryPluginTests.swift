import CGatewayPlugin
import GatewayPlugin
import HelloSwift
import Testing
import Wire

@Suite("An instance's life, through the C functions")
struct BoundaryPluginTests {
  @Test func `describes itself the same each time, and not to another major version`() throws {
    let first = try #require(TestPlugin.descriptor(1, 0))
    #expect(TestPlugin.descriptor(1, 9) == first)
    #expect(TestPlugin.descriptor(2, 0) == nil)
    #expect(TestPlugin.descriptor(0, 0) == nil)
    #expect(HelloSwift.descriptor(1, 0) != first)
    let plugin = first.pointee
    #expect(plugin.struct_size == MemoryLayout<gw_plugin_v1>.size)
    #expect(plugin.id.text == "test")
    #expect(plugin.version.text == "1.2.3")
    #expect(plugin.description.text == "Is tested.")
  }

  @Test func `creates, activates, quiesces and frees everything once`() throws {
    var parts = TestPlugin.Parts()
    let lives = parts.lives
    let closures = Lives()
    parts.routes = { _ in
      let tracked = Tracked(closures)
      return [
        Route.get("/v1/a", scope: .read, summary: "A") { _ in
          _ = tracked; return .data(1)
        }
      ]
    }
    let loaded = try Loaded(parts)
    #expect(loaded.status == GW_OK)
    #expect(loaded.plugin.activate(loaded.this) == GW_OK)
    loaded.plugin.quiesce(loaded.this, gw_operation(v: 5))
    let completion = try #require(loaded.host.record.withLock { $0.completions.first })
    #expect(completion.operation == 5)
    #expect(completion.status == GW_OK)
    #expect(lives.ended == 0)
    loaded.destroy()
    parts.routes = { _ in [] }
    #expect(lives.began == 1)
    #expect(lives.ended == 1)
    #expect(closures.ended == closures.began)
  }

  @Test func `a failing init leaves no self, says why and frees what it made`() throws {
    var parts = TestPlugin.Parts()
    let lives = parts.lives
    let closures = Lives()
    parts.start = { host in
      let tracked = Tracked(closures)
      try host.jobs.every(.seconds(1), name: "tick") { _ in _ = tracked }
      throw PluginFailure("The database is of a later version; install the newer plugin.")
    }
    let loaded = try Loaded(parts)
    #expect(loaded.status == GW_E_INTERNAL)
    #expect(loaded.this == nil)
    #expect(
      loaded.host.sentence == "The database is of a later version; install the newer plugin."
    )
    #expect(lives.ended == 1)
    #expect(closures.ended == 1)
  }

  @Test func `a failing activate says why, and destroy still frees`() throws {
    var parts = TestPlugin.Parts()
    let lives = parts.lives
    parts.activate = { throw PluginFailure("no") }
    let loaded = try Loaded(parts)
    #expect(loaded.plugin.activate(loaded.this) == GW_E_INTERNAL)
    #expect(loaded.host.sentence == "no")
    loaded.destroy()
    #expect(lives.ended == 1)
  }

  @Test func `names every bad setting at once`() throws {
    let loaded = try Loaded(TestPlugin.Parts(), settings: "{\"test\":\"x\",\"tset\":1}")
    #expect(loaded.status < 0)
    #expect(loaded.host.sentence.contains("settings.test must be a whole number"))
    #expect(loaded.host.sentence.contains("settings.tset is not known here"))
  }

  @Test func `settings that are not JSON are refused with their place`() throws {
    let loaded = try Loaded(TestPlugin.Parts(), settings: "{\n  !")
    #expect(loaded.status < 0)
    #expect(loaded.host.sentence.contains("line 2, column 3"))
  }

  @Test func `without gw.core there is no instance`() throws {
    let loaded = try Loaded(TestPlugin.Parts(), on: FakeHost(missing: [GW_CORE_1]))
    #expect(loaded.status == GW_E_UNSUPPORTED)
    #expect(loaded.this == nil)
  }

  @Test func `without gw.http a plugin with routes says so, and one without loads`() throws {
    #expect(try Loaded(TestPlugin.Parts(), on: FakeHost(missing: [GW_HTTP_1])).status == GW_OK)
    var parts = TestPlugin.Parts()
    parts.routes = { _ in [Route.get("/a", scope: .read, summary: "A") { _ in .data(1) }] }
    let loaded = try Loaded(parts, on: FakeHost(missing: [GW_HTTP_1]))
    #expect(loaded.status < 0)
    #expect(loaded.host.sentence.contains("gw.http/1"))
  }

  @Test func `a refused route fails create with the host's own status and sentence`() throws {
    let host = FakeHost(refusals: ["add_route": GW_E_ARGUMENT])
    host.record.withLock { $0.sentence = "GET /a exists already" }
    var parts = TestPlugin.Parts()
    parts.routes = { _ in [Route.get("/a", scope: .read, summary: "A") { _ in .data(1) }] }
    let loaded = try Loaded(parts, on: host)
    #expect(loaded.status == GW_E_ARGUMENT)
    #expect(host.sentence == "GET /a exists already")
    #expect(parts.lives.ended == 1)
  }

  @Test func `hands its state over, and refuses a schema it cannot read`() throws {
    let loaded = try Loaded(TestPlugin.Parts())
    #expect(loaded.plugin.interface(loaded.this, "gw.unknown/1") == nil)
    let table = try #require(loaded.plugin.interface(loaded.this, GW_PLUGIN_STATE_1))
      .assumingMemoryBound(to: gw_plugin_state_v1.self).pointee
    #expect(table.schema.text == "org.example.test")
    #expect([table.writes, table.reads_from, table.reads_to] == [2, 1, 2])
    let arena = Arena()
    #expect(table.restore(loaded.this, 3, arena.bytes("later")) == GW_E_SCHEMA)
    #expect(table.restore(loaded.this, 1, arena.bytes("earlier")) == GW_OK)
    arena.free()
    var taken = ""
    let status = withUnsafeMutablePointer(to: &taken) { sink in
      table.snapshot(loaded.this, sink) { sink, bytes in
        sink?.assumingMemoryBound(to: String.self).pointee += bytes.text
        return GW_OK
      }
    }
    #expect(status == GW_OK)
    #expect(taken == "earlier")
  }

  @Test func `starts its jobs again, and says that it is not fit`() throws {
    let resumed = Lives()
    var parts = TestPlugin.Parts()
    parts.resume = { resumed.begin() }
    parts.selfTest = { throw PluginFailure("The model is missing.") }
    let loaded = try Loaded(parts)
    let jobs = try #require(loaded.plugin.interface(loaded.this, GW_PLUGIN_JOBS_1))
      .assumingMemoryBound(to: gw_plugin_jobs_v1.self).pointee
    jobs.resume(loaded.this)
    #expect(resumed.began == 1)
    let tests = try #require(loaded.plugin.interface(loaded.this, GW_PLUGIN_SELFTEST_1))
      .assumingMemoryBound(to: gw_plugin_selftest_v1.self).pointee
    #expect(tests.run(loaded.this) == GW_E_INTERNAL)
    #expect(loaded.host.sentence == "The model is missing.")
  }

  @Test func `knows its directory, generation and clock`() throws {
    var parts = TestPlugin.Parts()
    parts.start = { host in
      #expect(host.dataDirectory == "/data/fake")
      #expect(host.generation == 1)
      #expect(host.now == .seconds(5))
    }
    #expect(try Loaded(parts).status == GW_OK)
  }
}
