import CGatewayPlugin
import Glibc
import Testing

@Suite("The C template, built and run")
struct CTemplateTests {
  @Test func `builds, serves its route and its check, and unloads`() throws {
    guard ContractTests.isInstalled("cc") else {
      return print("skipped: cc is not installed on this machine")
    }
    var pattern = Array("/tmp/gateway-template-XXXXXX".utf8CString)
    let folder = String(cString: try #require(mkdtemp(&pattern)))
    defer { _ = system("rm -r \(folder)") }
    let sources = "/\(ContractTests.folder)/PluginSDK"
    let line = """
      cc -std=c11 -Wall -Wextra -Wpedantic -O2 -fPIC -shared -fvisibility=hidden \
      -I\(sources)/C -o \(folder)/libhello_c.so \(sources)/Templates/c/plugin.c
      """
    try #require(system(line) == 0)
    let library = try #require(dlopen("\(folder)/libhello_c.so", RTLD_NOW | RTLD_LOCAL))
    typealias Entry = @convention(c) (UInt32, UInt32) -> UnsafePointer<gw_plugin_v1>?
    let entry = unsafeBitCast(try #require(dlsym(library, "gw_plugin_entry")), to: Entry.self)
    #expect(entry(2, 0) == nil)
    try serve(try #require(entry(1, 0)).pointee)
    #expect(dlclose(library) == 0)
  }

  private func serve(_ plugin: gw_plugin_v1) throws {
    #expect(plugin.id.text == "hello_c")
    #expect(plugin.struct_size == MemoryLayout<gw_plugin_v1>.size)
    let host = FakeHost()
    var raw = host.host
    var this: UnsafeMutableRawPointer?
    #expect(plugin.create(&raw, gw_bytes(start: nil, count: 0), &this) == GW_OK)
    #expect(plugin.activate(this) == GW_OK)
    let route = try #require(host.record.withLock { $0.routes.first })
    #expect(route.pattern == "/v1/hello-c")
    let exchange = FakeExchange(route)
    #expect(exchange.send() == GW_OK)
    exchange.end()
    #expect(host.answers.map(\.body) == ["{\"greeting\":\"Hello\"}"])
    let check = try #require(host.record.withLock { $0.checks.first })
    check.function(check.user, gw_operation(v: 1))
    #expect(host.record.withLock { $0.reports.map(\.state) } == [GW_HEALTHY])
    plugin.quiesce(this, gw_operation(v: 2))
    #expect(host.record.withLock { $0.completions.map(\.operation) } == [2])
    plugin.destroy(this)
  }
}
