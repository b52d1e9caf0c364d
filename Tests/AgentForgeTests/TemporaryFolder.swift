import Glibc

/// A folder of its own for one test; removed with everything in it when the test lets go.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/forge-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/forge-missing"
  }

  deinit { Self.remove(path) }

  /// Paths of all files below, relative, sorted; folders without files are not there.
  var files: [String] { Self.files(path, "").sorted() }

  /// Writes a file.
  func write(_ name: String, _ bytes: [UInt8]) {
    let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    guard
      bytes.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count
    else { fatalError("\(name) could not be written") }
  }

  /// Reads a file.
  func read(_ name: String) -> [UInt8] {
    let descriptor = open(path + "/" + name, O_RDONLY)
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    guard count == bytes.count else { fatalError("\(name) could not be read") }
    return bytes
  }

  private static func entries(_ path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func files(_ path: String, _ prefix: String) -> [String] {
    (entries(path) ?? []).flatMap { name -> [String] in
      let inner = path + "/" + name
      return entries(inner) == nil ? [prefix + name] : files(inner, prefix + name + "/")
    }
  }

  private static func remove(_ path: String) {
    for name in entries(path) ?? [] { remove(path + "/" + name) }
    _ = Glibc.remove(path)
  }
}
