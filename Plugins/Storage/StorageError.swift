import Glibc

/// Why something could not be stored or read back.
package enum StorageError: Error, Equatable, CustomStringConvertible {
  case cannotOpen(path: String, reason: String)
  /// The database was written by a newer build.
  case newerSchema(found: Int, known: Int)
  /// Another writer kept the database for longer than the busy limit.
  case busy
  /// The statement took longer than the caller allowed.
  case timedOut
  /// The disk or the quota is full.
  case full
  case statement(code: CInt, reason: String, sql: String)
  case system(call: String, code: CInt)

  package var description: String {
    switch self {
    case .cannotOpen(let path, let reason):
      "cannot open the database \(path): \(reason)"
    case .newerSchema(let found, let known):
      """
      the database has schema \(found), written by a newer release, and this release knows \
      schemas up to \(known): install the newer release again, or restore a backup made before it
      """
    case .busy: "another writer kept the database for longer than 10 s"
    case .timedOut: "the database took longer than allowed"
    case .full: "no space is left on the disk"
    case .statement(let code, let reason, let sql): "SQLite error \(code), \(reason), in: \(sql)"
    case .system(let call, let code): "\(call): \(unsafe String(cString: strerror(code)))"
    }
  }

  /// The error of the system call that has just failed on this thread.
  package static func last(_ call: String) -> StorageError {
    let code = errno
    return code == ENOSPC || code == EDQUOT ? .full : .system(call: call, code: code)
  }
}
