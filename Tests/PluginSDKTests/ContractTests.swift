import CGatewayPlugin
import Glibc
import Testing

@Suite("The header alone")
struct ContractTests {
  struct Compiler: Sendable, CustomTestStringConvertible {
    let command: String
    let language: String
    let standard: String
    var testDescription: String { "\(command) \(standard)" }
  }

  static let folder = String(
    "\(#filePath)".split(separator: "/").dropLast(3).joined(separator: "/")
  )

  static let compilers = [
    Compiler(command: "gcc", language: "c", standard: "c11"),
    Compiler(command: "g++", language: "c++", standard: "c++17"),
    Compiler(command: "clang", language: "c", standard: "c11"),
    Compiler(command: "clang++", language: "c++", standard: "c++17"),
  ]

  /// The commands of this machine; a test of one that is absent is skipped and says so.
  static func isInstalled(_ command: String) -> Bool {
    system("command -v \(command) >/dev/null 2>&1") == 0
  }

  @Test(arguments: compilers)
  func `compiles without a warning`(_ compiler: Compiler) throws {
    guard Self.isInstalled(compiler.command) else {
      return print("skipped: \(compiler.command) is not installed on this machine")
    }
    // Nullability is Clang's own, and the header gives it to Clang only.
    let own = compiler.command.hasPrefix("clang") ? "-Wno-nullability-extension" : ""
    let header = "/\(Self.folder)/PluginSDK/C/gateway_plugin.h"
    let line = """
      echo '#include "\(header)"' | \(compiler.command) -x \(compiler.language) \
      -std=\(compiler.standard) -Wall -Wextra -Wpedantic -Werror \(own) -fsyntax-only -
      """
    #expect(system(line) == 0)
  }

  @Test(arguments: compilers.filter { $0.language == "c" })
  func `the C template compiles without a warning`(_ compiler: Compiler) throws {
    guard Self.isInstalled(compiler.command) else {
      return print("skipped: \(compiler.command) is not installed on this machine")
    }
    let own = compiler.command == "clang" ? "-Wno-nullability-extension" : ""
    let line = """
      \(compiler.command) -std=c11 -Wall -Wextra -Wpedantic -Werror \(own) -fsyntax-only \
      -I/\(Self.folder)/PluginSDK/C /\(Self.folder)/PluginSDK/Templates/c/plugin.c
      """
    #expect(system(line) == 0)
  }

  // Literals, so that a change of layout fails here and not in a stranger's library.
  @Test func `no struct has changed its size`() {
    #expect(MemoryLayout<gw_bytes>.size == 16)
    #expect(MemoryLayout<gw_field>.size == 32)
    #expect(MemoryLayout<gw_request>.size == 8)
    #expect(MemoryLayout<gw_host_v1>.size == 32)
    #expect(MemoryLayout<gw_plugin_v1>.size == 104)
    #expect(MemoryLayout<gw_core_v1>.size == 32)
    #expect(MemoryLayout<gw_log_v1>.size == 16)
    #expect(MemoryLayout<gw_request_v1>.size == 240)
    #expect(MemoryLayout<gw_http_handler_v1>.size == 40)
    #expect(MemoryLayout<gw_route_v1>.size == 96)
    #expect(MemoryLayout<gw_buffer>.size == 32)
    #expect(MemoryLayout<gw_http_v1>.size == 64)
    #expect(MemoryLayout<gw_events_v1>.size == 24)
    #expect(MemoryLayout<gw_call_v1>.size == 64)
    #expect(MemoryLayout<gw_services_v1>.size == 16)
    #expect(MemoryLayout<gw_health_v1>.size == 16)
    #expect(MemoryLayout<gw_metrics_v1>.size == 16)
    #expect(MemoryLayout<gw_jobs_v1>.size == 48)
    #expect(MemoryLayout<gw_plugin_state_v1>.size == 48)
  }

  @Test func `no member has moved`() {
    #expect(MemoryLayout<gw_host_v1>.offset(of: \.context) == 16)
    #expect(MemoryLayout<gw_host_v1>.offset(of: \.interface) == 24)
    #expect(MemoryLayout<gw_plugin_v1>.offset(of: \.id) == 16)
    #expect(MemoryLayout<gw_plugin_v1>.offset(of: \.create) == 64)
    #expect(MemoryLayout<gw_plugin_v1>.offset(of: \.destroy) == 96)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.method) == 8)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.parameters) == 72)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.body) == 104)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.subject) == 128)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.deadline) == 224)
    #expect(MemoryLayout<gw_request_v1>.offset(of: \.flags) == 232)
    #expect(MemoryLayout<gw_route_v1>.offset(of: \.flags) == 48)
    #expect(MemoryLayout<gw_route_v1>.offset(of: \.operation) == 72)
    #expect(MemoryLayout<gw_route_v1>.offset(of: \.user) == 88)
    #expect(MemoryLayout<gw_call_v1>.offset(of: \.caller) == 48)
  }

  @Test func `no number has changed`() {
    #expect(GW_ABI_MAJOR == 1)
    #expect([GW_OK, GW_PENDING, GW_AGAIN] == [0, 1, 2])
    let errors = [
      GW_E_ARGUMENT, GW_E_STATE, GW_E_GONE, GW_E_DENIED, GW_E_UNSUPPORTED, GW_E_LIMIT,
      GW_E_TIMEOUT, GW_E_SCHEMA, GW_E_BUSY, GW_E_NOT_FOUND, GW_E_INTERNAL,
    ]
    #expect(errors == [-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11])
    #expect([GW_ROUTE_INLINE, GW_ROUTE_STREAM, GW_ROUTE_PUBLIC] == [1, 2, 4])
    #expect(
      [GW_CANCEL_PEER_GONE, GW_CANCEL_DEADLINE, GW_CANCEL_DRAIN, GW_CANCEL_BODY] == [1, 2, 3, 4]
    )
  }
}
