import CSQLite

/// The SQLite database of revoked tokens, with one owner.
@safe struct RevocationFile: ~Copyable {
  private let path: String
  private let handle: OpaquePointer
  private var seenVersion: Int64 = -1

  private static let schema: Int64 = 1

  private init(path: String, opened: OpaquePointer) {
    self.path = path
    unsafe handle = opened
  }

  /// Opens the database, and makes it if it is missing.
  static func open(_ path: String) throws(StorageError) -> RevocationFile {
    var opened: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
    let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
    guard code == SQLITE_OK, let opened = unsafe opened else {
      let reason = unsafe String(cString: sqlite3_errstr(code))
      unsafe sqlite3_close_v2(opened)
      throw StorageError(path: path, operation: "open", reason: reason)
    }
    var file = unsafe RevocationFile(path: path, opened: opened)
    try file.setUp()
    return file
  }

  private mutating func setUp() throws(StorageError) {
    // Another process may be writing; it is done within milliseconds.
    unsafe sqlite3_busy_timeout(handle, 5000)
    try run("PRAGMA journal_mode=WAL", to: "set it up")
    try run("PRAGMA synchronous=FULL", to: "set it up")
    let found = try number("PRAGMA user_version")
    guard found <= Self.schema else {
      throw StorageError(
        path: path,
        operation: "open",
        reason: "a newer gateway made it (schema \(found))"
      )
    }
    try run(
      "CREATE TABLE IF NOT EXISTS revocation "
        + "(token_id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
      to: "set it up"
    )
    if found < Self.schema { try run("PRAGMA user_version=\(Self.schema)", to: "set it up") }
    seenVersion = try number("PRAGMA data_version")
  }

  deinit { unsafe sqlite3_close_v2(handle) }

  /// All that is revoked, without what expires before `time`; `nil` when nobody else has written.
  mutating func changes(expiringFrom time: Int64) throws(StorageError) -> [String: Int64]? {
    let version = try number("PRAGMA data_version")
    guard version != seenVersion else { return nil }
    try prune(before: time)
    let revoked = try all()
    seenVersion = version  // last, so that a failure is made up for by the next call
    return revoked
  }

  func insert(_ tokenID: String, until: Int64) throws(StorageError) {
    let statement = unsafe try prepare(
      "INSERT INTO revocation VALUES (?1, ?2) "
        + "ON CONFLICT (token_id) DO UPDATE SET until = max(until, excluded.until)"
    )
    defer { unsafe sqlite3_finalize(statement) }
    unsafe sqlite3_bind_text(
      statement,
      1,
      tokenID,
      CInt(tokenID.utf8.count),
      sqlite_transient()
    )
    unsafe sqlite3_bind_int64(statement, 2, until)
    guard unsafe sqlite3_step(statement) == SQLITE_DONE else { throw failure("revoke a token") }
  }

  func prune(before time: Int64) throws(StorageError) {
    try run("DELETE FROM revocation WHERE until < \(time)", to: "forget expired tokens")
  }

  func all() throws(StorageError) -> [String: Int64] {
    let statement = unsafe try prepare("SELECT token_id, until FROM revocation")
    defer { unsafe sqlite3_finalize(statement) }
    var revoked: [String: Int64] = [:]
    while true {
      let code = unsafe sqlite3_step(statement)
      if code == SQLITE_DONE { return revoked }
      guard code == SQLITE_ROW, let text = unsafe sqlite3_column_text(statement, 0) else {
        throw failure("read revoked tokens")
      }
      unsafe revoked[String(cString: text)] = unsafe sqlite3_column_int64(statement, 1)
    }
  }

  private func number(_ query: String) throws(StorageError) -> Int64 {
    let statement = unsafe try prepare(query)
    defer { unsafe sqlite3_finalize(statement) }
    guard unsafe sqlite3_step(statement) == SQLITE_ROW else { throw failure("read") }
    return unsafe sqlite3_column_int64(statement, 0)
  }

  private func run(_ command: String, to operation: String) throws(StorageError) {
    guard unsafe sqlite3_exec(handle, command, nil, nil, nil) == SQLITE_OK else {
      throw failure(operation)
    }
  }

  private func prepare(_ command: String) throws(StorageError) -> OpaquePointer {
    var statement: OpaquePointer?
    guard unsafe sqlite3_prepare_v2(handle, command, -1, &statement, nil) == SQLITE_OK,
      let statement = unsafe statement
    else { throw failure("prepare a query") }
    return unsafe statement
  }

  private func failure(_ operation: String) -> StorageError {
    StorageError(
      path: path,
      operation: operation,
      reason: unsafe String(cString: sqlite3_errmsg(handle))
    )
  }
}
