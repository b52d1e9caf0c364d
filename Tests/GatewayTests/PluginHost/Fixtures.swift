import Glibc
import Synchronization
import Testing

/// Compiles the plugins of Tests/Fixtures, each once in a test run.
enum Fixtures {
  private static let root = String(
    #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
  )
  private static let built = Mutex<[String: String]>([:])

  /// Where the compiled libraries are, as `name.so`.
  static let directory: String = {
    var template = Array("/tmp/gateway-fixtures-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil, "no temporary directory")
    atexit { Fixtures.remove() }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  /// Path of the library of `name`.c.
  static func library(_ name: String) throws -> String {
    try built.withLock { built in
      if let path = built[name] { return path }
      let path = "\(directory)/\(name).so"
      let status = run([
        "/usr/bin/env", "clang", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
        "-Wno-unused-function", "-shared",
        "-fPIC", "-I", "\(root)/PluginSDK/C", "-I", "\(root)/Tests/Fixtures",
        "\(root)/Tests/Fixtures/\(name).c", "-o", path,
      ])
      try #require(status == 0, "clang could not compile \(name).c")
      built[name] = path
      return path
    }
  }

  /// The gateway's own binary, which `swift build` leaves beside the tests.
  static var gateway: String? {
    guard let bundle = CommandLine.arguments.first(where: { $0.hasSuffix(".xctest") }) else {
      return nil
    }
    let path = String(bundle[..<(bundle.lastIndex(of: "/") ?? bundle.endIndex)]) + "/gateway"
    return access(path, X_OK) == 0 ? path : nil
  }

  private static func run(_ arguments: [String]) -> CInt {
    var list = arguments.map { strdup($0) } + [nil]
    defer { list.forEach { free($0) } }
    var child = pid_t()
    guard posix_spawn(&child, arguments[0], nil, nil, &list, environ) == 0 else { return -1 }
    var status: CInt = 0
    waitpid(child, &status, 0)
    return status
  }

  private static func remove() {
    for path in built.withLock({ Array($0.values) }) { unlink(path) }
    rmdir(directory)
  }
}
