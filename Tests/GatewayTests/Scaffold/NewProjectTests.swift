import Glibc
import Testing

@testable import Gateway

@Suite("A new plugin's project")
struct NewProjectTests {
  /// An empty folder that goes with the test.
  private final class Place {
    let path: String

    init() throws {
      var pattern = Array("/tmp/gateway-project-XXXXXX".utf8CString)
      path = String(cString: try #require(mkdtemp(&pattern)))
    }

    deinit { Directory.removeAll(path) }

    func text(_ file: String) throws -> String {
      String(decoding: try FileBytes.read("\(path)/\(file)", limit: 1 << 20), as: UTF8.self)
    }

    func write(_ file: String) throws {
      let raw = open("\(path)/\(file)", O_WRONLY | O_CREAT, 0o644)
      try #require(raw >= 0)
      close(raw)
    }
  }

  private static let sdk =
    "\(#filePath)".split(separator: "/").dropLast(4)
    .reduce(into: "") { $0 += "/\($1)" } + "/PluginSDK"

  private func order(_ language: String, _ name: String, _ place: Place) throws -> ProjectOrder {
    try ProjectOrder([
      "--lang", language, "--sdk", Self.sdk, "--dir", "\(place.path)/new", name,
    ])
  }

  private func failure(_ order: ProjectOrder) -> NewProject.Failure? {
    do throws(NewProject.Failure) {
      try NewProject.make(order, binary: "/opt/gateway/bin/gateway")
      return nil
    } catch {
      return error
    }
  }

  @Test func `C has its files under its own name`() throws {
    let place = try Place()
    #expect(failure(try order("c", "things", place)) == nil)
    #expect(
      Directory.names(in: "\(place.path)/new") == [
        ".gitignore", "50-things.json", "Makefile", "README.md", "gateway_plugin.h", "plugin.c",
        "plugin.mk", "tests.c",
      ]
    )
    let source = try place.text("new/plugin.c")
    #expect(source.contains(".id = TEXT(\"things\")"))
    #expect(source.contains("\"/v1/things/{name}\""))
    for file in ["plugin.c", "tests.c", "Makefile", "plugin.mk", "README.md", "50-things.json"] {
      let text = try place.text("new/\(file)")
      #expect(!text.contains("hello_c") && !text.contains("hello-c"), "\(file)")
    }
    #expect(try place.text("new/plugin.mk").contains("GATEWAY ?= /opt/gateway/bin/gateway\n"))
    #expect(Directory.names(in: place.path) == ["new"])
  }

  @Test func `Rust has its files under its own name`() throws {
    let place = try Place()
    #expect(failure(try order("rust", "things", place)) == nil)
    #expect(
      Directory.names(in: "\(place.path)/new") == [
        ".gitignore", "50-things.json", "Cargo.toml", "Makefile", "README.md", "gateway_plugin.h",
        "plugin.mk", "rustfmt.toml", "src",
      ]
    )
    let source = try place.text("new/src/service.rs")
    #expect(source.contains("const ID: &str = \"things\";"))
    #expect(source.contains("impl Service for ThingsService {"))
    #expect(source.contains("\"/v1/things/{name}\""))
    for name in Directory.names(in: "\(place.path)/new/src") {
      let text = try place.text("new/src/\(name)")
      #expect(!text.contains("hello_rust") && !text.contains("HelloRust"), "\(name)")
    }
    #expect(try place.text("new/Cargo.toml").contains("name = \"things\""))
  }

  @Test func `Swift has the SDK with it, and names that meet no module of it`() throws {
    let place = try Place()
    #expect(failure(try order("swift", "gateway_plugin", place)) == nil)
    let manifest = try place.text("new/Package.swift")
    #expect(manifest.contains("name: \"gateway_plugin\""))
    #expect(manifest.contains("name: \"GatewayPluginServiceEntry\""))
    #expect(!manifest.contains("Hello"))
    let folder = "new/Sources/GatewayPluginService"
    #expect(
      try place.text("\(folder)/GatewayPluginService.swift").contains("\"/v1/gateway_plugin\"")
    )
    #expect(try place.text("new/SDK/Swift/Plugin.swift").contains("public protocol Plugin"))
    #expect(try place.text("new/SDK/Wire/JSON.swift").contains("JSON"))
    #expect(try place.text("new/SDK/plugin.map").contains("gw_plugin_entry"))
  }

  @Test func `an empty folder is taken, one with something in it is not`() throws {
    let place = try Place()
    let order = try order("c", "things", place)
    #expect(mkdir("\(place.path)/new", 0o755) == 0)
    #expect(failure(order) == nil)
    #expect(failure(order) == .occupied("\(place.path)/new"))
    #expect(Directory.names(in: place.path) == ["new"])
  }

  @Test func `a file in its place is refused`() throws {
    let place = try Place()
    try place.write("new")
    #expect(failure(try order("c", "things", place)) == .noFolder("\(place.path)/new"))
  }

  @Test func `a folder that cannot be made is named`() throws {
    let place = try Place()
    let order = try ProjectOrder([
      "--lang", "c", "--sdk", Self.sdk, "--dir", "\(place.path)/a/b", "things",
    ])
    guard case .cannotWrite(let path, _) = failure(order) else {
      Issue.record("it was made")
      return
    }
    #expect(path == "\(place.path)/a/b")
    #expect(Directory.names(in: place.path) == [])
  }

  @Test func `a folder that is no SDK says what it lacks`() throws {
    let place = try Place()
    let order = try ProjectOrder(["--lang", "c", "--sdk", place.path, "--dir", "x", "things"])
    #expect(
      failure(order) == .sdk(.incomplete(folder: place.path, file: "C/gateway_plugin.h"))
    )
  }

  @Test func `without an SDK near the binary both places are named`() throws {
    let place = try Place()
    let error = #expect(throws: SDKFolder.Missing.self) {
      try SDKFolder(named: nil, binaryFolder: "\(place.path)/bin")
    }
    #expect(
      error
        == .notFound([
          "\(place.path)/bin/../../../PluginSDK", "\(place.path)/bin/../share/gateway/PluginSDK",
        ])
    )
  }

  @Test func `an installed SDK is found beside the binary's folder`() throws {
    let place = try Place()
    let sources = Self.sdk.split(separator: "/").dropLast().reduce(into: "") { $0 += "/\($1)" }
    #expect(mkdir("\(place.path)/bin", 0o755) == 0)
    #expect(mkdir("\(place.path)/share", 0o755) == 0)
    #expect(symlink(sources, "\(place.path)/share/gateway") == 0)
    let found = try SDKFolder(named: nil, binaryFolder: "\(place.path)/bin")
    #expect(found.path == Self.sdk)
    #expect(unlink("\(place.path)/share/gateway") == 0)
  }

  @Test func `a makefile can take the binary's path, or gets its name`() throws {
    let order = try ProjectOrder(["--lang", "c", "a"])
    let sdk = try SDKFolder(named: Self.sdk, binaryFolder: "")
    func line(_ binary: String) -> String {
      ProjectTemplate(order: order, sdk: sdk, gateway: binary).renamed("GATEWAY ?= gateway")
    }
    #expect(line("/a b/$x#y/gateway") == "GATEWAY ?= /a b/$$x\\#y/gateway")
    #expect(line("/it's/gateway") == "GATEWAY ?= gateway")
  }
}
