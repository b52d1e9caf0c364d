import CLinux
import Glibc

/// Directories that only the gateway's own user may enter.
package enum Directory {
  /// Makes `path`, not what is above it; nothing happens when it exists.
  ///
  /// - Parameter path: Gets mode 0700.
  /// - Throws: `SystemError`.
  package static func make(_ path: String) throws(SystemError) {
    if unsafe mkdir(path, 0o700) == 0 { return }
    guard errno == EEXIST else { throw SystemError(call: "mkdir", code: errno) }
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw SystemError(call: "stat", code: errno) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw SystemError(call: "mkdir", code: ENOTDIR)
    }
  }

  /// The names in `path` in order, without `.` and `..`; none when it cannot be read.
  package static func names(in path: String) -> [String] {
    (try? list(path)) ?? []
  }

  /// The names in `path` in order, without `.` and `..`.
  ///
  /// - Parameter path: A directory.
  /// - Returns: Sorted by their bytes.
  /// - Throws: `SystemError` when it cannot be read.
  package static func list(_ path: String) throws(SystemError) -> [String] {
    guard let stream = unsafe opendir(path) else { throw SystemError(call: "opendir", code: errno) }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0
      let start = unsafe UnsafeRawPointer(entry) + offset
      let name = unsafe String(cString: start.assumingMemoryBound(to: CChar.self))
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Whether `path` is a directory, or a link to one.
  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// `path` without links and relative parts; `nil` when it does not exist.
  package static func absolute(_ path: String) -> String? {
    guard let resolved = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(resolved) }
    return unsafe String(cString: resolved)
  }

  /// Removes `path` with everything in it; links in it are removed, not followed.
  package static func removeAll(_ path: String) {
    empty(unsafe open(path, openingNoLink), depth: 0)
    _ = unsafe rmdir(path)
  }

  private static let openingNoLink = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
  /// Directories in one another that are emptied.
  private static let maxDepth = 256

  /// Removes what is in an open directory, and closes it.
  ///
  /// By descriptors and not by paths: whoever filled it may still be putting links in the place of directories.
  private static func empty(_ directory: CInt, depth: Int) {
    guard directory >= 0 else { return }
    guard depth < maxDepth, let stream = unsafe fdopendir(directory) else {
      _ = close(directory)
      return
    }
    defer { unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
      let offset = MemoryLayout<dirent>.offset(of: \dirent.d_name) ?? 0
      // As it stands there: it need not be text.
      let name = unsafe (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
      if unsafe strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { continue }
      if unsafe unlinkat(directory, name, 0) == 0 { continue }
      empty(unsafe openat(directory, name, openingNoLink), depth: depth + 1)
      _ = unsafe unlinkat(directory, name, AT_REMOVEDIR)
    }
  }

  /// Writes all of `bytes` to a file.
  ///
  /// - Parameters:
  ///   - file: Open for writing.
  ///   - bytes: Any number.
  /// - Throws: `SystemError`; a part may have been written.
  package static func writeAll(_ file: CInt, _ bytes: ArraySlice<UInt8>) throws(SystemError) {
    var rest = bytes
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { unsafe write(file, $0.baseAddress, $0.count) }
      guard count >= 0 else {
        if errno == EINTR { continue }
        throw SystemError(call: "write", code: errno)
      }
      rest = rest.dropFirst(count)
    }
  }
}
