import CLinux
import Glibc
import Wire

/// Changes in a file of the plugins directory that keep its comments and its layout.
package enum PluginFileEdit {
  /// Writes in the file whether its plugin is on; a file that says so already is left alone.
  ///
  /// Readers see the old file or the new one, whole, also after a loss of power. A link is followed.
  ///
  /// - Parameters:
  ///   - isEnabled: The new value of `enabled`.
  ///   - path: Of the file.
  /// - Throws: `PluginFileError`; the file is as it was.
  package static func setEnabled(_ isEnabled: Bool, in path: String) throws(PluginFileError) {
    func fault(_ fault: PluginFileError.Fault) -> PluginFileError {
      PluginFileError(file: path, position: nil, fault: fault)
    }
    guard let target = Directory.absolute(path) else {
      throw fault(.unreadable(SystemError(call: "realpath", code: errno).description))
    }
    let before = Self.status(of: target)
    // The reader of the file knows all that can be wrong with it.
    guard try PluginFile(path: path).isEnabled != isEnabled else { return }
    let changed: [UInt8]
    do {
      let bytes = try FileBytes.read(target, limit: PluginFile.maxBytes)
      changed = try SettingsDocument.setting("enabled", to: .bool(isEnabled), in: bytes)
    } catch {
      throw fault(.unwritable("\(error)"))
    }
    do throws(SystemError) {
      try replace(target, with: changed, was: before)
    } catch {
      let reason =
        error.code == ESTALE
        ? "it was changed by somebody else at the same moment; try again" : error.description
      throw fault(.unwritable(reason))
    }
  }

  /// Puts a file with these bytes, and the old one's mode and owner, in the place of `path`.
  private static func replace(
    _ path: String,
    with bytes: [UInt8],
    was: stat?
  ) throws(SystemError) {
    guard let was else { throw SystemError(call: "stat", code: ENOENT) }
    let slash = path.lastIndex(of: "/") ?? path.startIndex
    let folder = String(path[..<slash])
    // Hidden, so that nobody takes it for a file of a plugin.
    let staged = "\(folder)/.\(path[path.index(after: slash)...]).\(getpid()).new"
    _ = unsafe unlink(staged)  // left by a process of this number that was killed
    let raw = unsafe open(staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard raw >= 0 else { throw SystemError(call: "open", code: errno) }
    let file = Descriptor(adopting: raw)
    do throws(SystemError) {
      try Directory.writeAll(file.raw, bytes[...])
      if was.st_uid != geteuid() || was.st_gid != getegid() {
        try check("fchown", fchown(file.raw, was.st_uid, was.st_gid))
      }
      try check("fchmod", fchmod(file.raw, was.st_mode & 0o7777))
      try check("fsync", fsync(file.raw))
      guard let now = status(of: path), isSame(was, now) else {
        throw SystemError(call: "rename", code: ESTALE)
      }
      try check("rename", unsafe rename(staged, path))
    } catch {
      _ = unsafe unlink(staged)
      throw error
    }
    syncDirectory(folder)
  }

  /// Makes the rename last; one that does not is no reason to say that it was not done.
  private static func syncDirectory(_ folder: String) {
    let raw = unsafe open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard raw >= 0 else { return }
    let directory = Descriptor(adopting: raw)
    _ = fsync(directory.raw)
  }

  private static func check(_ call: String, _ result: CInt) throws(SystemError) {
    guard result == 0 else { throw SystemError(call: call, code: errno) }
  }

  private static func status(of path: String) -> stat? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status : nil
  }

  private static func isSame(_ one: stat, _ other: stat) -> Bool {
    one.st_ino == other.st_ino && one.st_size == other.st_size
      && one.st_mtim.tv_sec == other.st_mtim.tv_sec
      && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
  }
}
