import Glibc

/// A folder of its own for one test; removed with everything in it when the test lets go.
final class WorkerFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/fog-worker-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/fog-worker-missing"
  }

  deinit { Self.remove(path) }

  func write(_ name: String, _ bytes: [UInt8]) {
    let descriptor = open(path + "/" + name, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard count == bytes.count else { fatalError("\(name) could not be written") }
  }

  /// The bytes of a file; `nil` when there is none.
  func read(_ name: String) -> [UInt8]? {
    let descriptor = open(path + "/" + name, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    fstat(descriptor, &status)
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = bytes.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
    return count == bytes.count ? bytes : nil
  }

  /// Relative paths of everything below, links not followed, sorted.
  var all: [String] { Self.all(path, "").sorted() }

  private static func entries(_ path: String) -> [String]? {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      let folder = opendir(path)
    else { return nil }
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

  private static func all(_ path: String, _ prefix: String) -> [String] {
    (entries(path) ?? []).flatMap { name in
      [prefix + name] + all("\(path)/\(name)", prefix + name + "/")
    }
  }

  private static func remove(_ path: String) {
    for name in entries(path) ?? [] { remove(path + "/" + name) }
    _ = Glibc.remove(path)
  }
}
