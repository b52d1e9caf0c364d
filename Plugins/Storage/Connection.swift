import CSQLite
import Glibc

/// A value bound to a statement.
package enum SQLValue: Sendable, Equatable {
  case null
  case integer(Int64)
  case real(Double)
  case text(String)

  /// Text, or NULL for `nil`.
  package static func optional(_ text: String?) -> SQLValue { text.map(SQLValue.text) ?? .null }
  /// A count, or NULL for `nil`.
  package static func optional(_ count: Int?) -> SQLValue { count.map(SQLValue.count) ?? .null }
  /// 1 or 0.
  package static func flag(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
  /// A count.
  package static func count(_ value: Int) -> SQLValue { .integer(Int64(value)) }
}

/// One row of a running statement; valid only inside the closure it is given to.
@safe package struct Row {
  fileprivate let statement: OpaquePointer

  package func integer(_ column: Int32) -> Int64 {
    unsafe sqlite3_column_int64(statement, column)
  }
  package func count(_ column: Int32) -> Int { Int(integer(column)) }
  package func flag(_ column: Int32) -> Bool { integer(column) != 0 }
  package func real(_ column: Int32) -> Double {
    unsafe sqlite3_column_double(statement, column)
  }
  /// A number, or `nil` for NULL.
  package func optionalReal(_ column: Int32) -> Double? { isNull(column) ? nil : real(column) }
  /// A whole number, or `nil` for NULL.
  package func optionalInteger(_ column: Int32) -> Int64? {
    isNull(column) ? nil : integer(column)
  }
  private func isNull(_ column: Int32) -> Bool {
    unsafe sqlite3_column_type(statement, column) == SQLITE_NULL
  }
  package func text(_ column: Int32) -> String { optionalText(column) ?? "" }
  package func optionalText(_ column: Int32) -> String? {
    // The text is asked for before its size: SQLite may convert on the first call.
    guard let start = unsafe sqlite3_column_text(statement, column) else { return nil }
    let count = unsafe Int(sqlite3_column_bytes(statement, column))
    return unsafe String(
      decoding: UnsafeBufferPointer(start: start, count: count),
      as: UTF8.self
    )
  }
}

/// One SQLite connection and its prepared statements; closed when its owner goes away.
///
/// `@unchecked Sendable` holds because the type has one owner and every use is exclusive (`mutating`):
/// SQLite lets a connection move between threads as long as two never use it at once.
@safe package struct Connection: ~Copyable, @unchecked Sendable {
  /// Prepared statements kept; the texts are few and fixed, so the bound is only a guard.
  static let cachedStatements = 64

  private let handle: OpaquePointer
  private let deadline: UnsafeMutablePointer<UInt64>
  private var statements: [String: OpaquePointer] = unsafe [:]

  /// Opens `path`, made when absent, for one writer beside readers (WAL) without loss on a crash.
  package static func open(path: String, readOnly: Bool) throws(StorageError) -> Connection {
    var opened: OpaquePointer?
    let access = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
    let code = unsafe sqlite3_open_v2(path, &opened, SQLITE_OPEN_NOMUTEX | access, nil)
    guard code == SQLITE_OK, let handle = unsafe opened else {
      let reason = unsafe String(cString: sqlite3_errstr(code))
      unsafe sqlite3_close(opened)
      throw .cannotOpen(path: path, reason: reason)
    }
    var connection = unsafe Connection(adopting: handle)
    try connection.script("PRAGMA foreign_keys = ON;")
    // FULL: what a client was told is stored survives the machine losing power.
    if !readOnly {
      try connection.script("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
    }
    return connection
  }

  private init(adopting handle: OpaquePointer) {
    unsafe self.handle = handle
    unsafe deadline = .allocate(capacity: 1)
    unsafe deadline.initialize(to: .max)
    unsafe sqlite3_busy_timeout(handle, 10_000)
    unsafe sqlite3_progress_handler(handle, 4096, Self.pastDeadline, deadline)
  }

  deinit {
    unsafe statements.values.forEach { unsafe sqlite3_finalize($0) }
    unsafe sqlite3_close(handle)
    unsafe deadline.deallocate()
  }

  private static let pastDeadline: @convention(c) (UnsafeMutableRawPointer?) -> CInt = {
    guard let deadline = unsafe $0?.assumingMemoryBound(to: UInt64.self) else { return 0 }
    return unsafe Clock.monotonic() > deadline.pointee ? 1 : 0
  }

  /// Ends statements with `timedOut` once the monotonic clock passes `nanoseconds`; `nil` never does.
  package mutating func limit(until nanoseconds: UInt64?) {
    unsafe deadline.pointee = nanoseconds ?? .max
  }

  /// Runs several statements without values, as they stand.
  package mutating func script(_ sql: String) throws(StorageError) {
    let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code, sql) }
  }

  /// Runs one statement and gives the number of rows it changed.
  @discardableResult
  package mutating func run(_ sql: String, _ values: [SQLValue] = []) throws(StorageError) -> Int {
    try each(sql, values) { (_: Row) throws(StorageError) in true }
    return unsafe Int(sqlite3_changes(handle))
  }

  /// Every row of a query, read by `read`.
  package mutating func rows<Value>(
    _ sql: String,
    _ values: [SQLValue] = [],
    _ read: (Row) -> Value
  ) throws(StorageError) -> [Value] {
    var found: [Value] = []
    try each(sql, values) { (row: Row) throws(StorageError) in
      found.append(read(row))
      return true
    }
    return found
  }

  /// The first row of a query, or `nil`.
  package mutating func first<Value>(
    _ sql: String,
    _ values: [SQLValue] = [],
    _ read: (Row) -> Value
  ) throws(StorageError) -> Value? {
    var found: Value?
    try each(sql, values) { (row: Row) throws(StorageError) in
      found = read(row)
      return false
    }
    return found
  }

  /// A page of the rows of a query, and how many there are on all pages.
  ///
  /// - Parameters:
  ///   - columns: What `read` is given of a row.
  ///   - source: What stands behind FROM.
  ///   - values: Those of `source`, whose parameters are in order from 1.
  ///   - order: What stands behind ORDER BY; has no parameters.
  ///   - limit: Rows at most.
  ///   - offset: Rows that are passed over.
  ///   - read: Makes a value of a row.
  /// - Returns: The values, and the number of rows of `source`.
  /// - Throws: `StorageError`.
  package mutating func page<Value>(
    _ columns: String,
    from source: String,
    _ values: [SQLValue] = [],
    orderedBy order: String,
    limit: Int,
    offset: Int,
    _ read: (Row) -> Value
  ) throws(StorageError) -> ([Value], Int) {
    let total = try first("SELECT count(*) FROM \(source)", values) { $0.count(0) }
    let page = try rows(
      """
      SELECT \(columns) FROM \(source)
      ORDER BY \(order) LIMIT ?\(values.count + 1) OFFSET ?\(values.count + 2)
      """,
      values + [.count(limit), .count(offset)],
      read
    )
    return (page, total ?? 0)
  }

  /// Runs `body` between BEGIN IMMEDIATE and COMMIT; an error of it rolls everything back.
  package mutating func transaction<Value>(
    _ body: (inout Connection) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try run("BEGIN IMMEDIATE")
    do {
      let value = try body(&self)
      try run("COMMIT")
      return value
    } catch {
      // A full disk may have rolled back already; then there is nothing left to undo.
      if unsafe sqlite3_get_autocommit(handle) == 0 { _ = try? run("ROLLBACK") }
      throw error
    }
  }

  private mutating func each(
    _ sql: String,
    _ values: [SQLValue],
    _ visit: (Row) throws(StorageError) -> Bool
  ) throws(StorageError) {
    let statement = unsafe try prepared(sql)
    defer {
      unsafe sqlite3_reset(statement)
      unsafe sqlite3_clear_bindings(statement)
    }
    for (index, value) in values.enumerated() {
      let code = unsafe bind(value, to: statement, at: CInt(index + 1))
      guard code == SQLITE_OK else { throw failure(code, sql) }
    }
    while true {
      let code = unsafe sqlite3_step(statement)
      switch code {
      case SQLITE_ROW: guard try visit(unsafe Row(statement: statement)) else { return }
      case SQLITE_DONE: return
      default: throw failure(code, sql)
      }
    }
  }

  private mutating func prepared(_ sql: String) throws(StorageError) -> OpaquePointer {
    if let statement = unsafe statements[sql] { return unsafe statement }
    if unsafe statements.count >= Self.cachedStatements {
      unsafe statements.values.forEach { unsafe sqlite3_finalize($0) }
      unsafe statements.removeAll()
    }
    var made: OpaquePointer?
    let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
    let code = unsafe sqlite3_prepare_v3(handle, sql, -1, flags, &made, nil)
    guard code == SQLITE_OK, let statement = unsafe made else { throw failure(code, sql) }
    unsafe statements[sql] = statement
    return unsafe statement
  }

  private func bind(_ value: SQLValue, to statement: OpaquePointer, at index: CInt) -> CInt {
    switch value {
    case .null: return unsafe sqlite3_bind_null(statement, index)
    case .integer(let value): return unsafe sqlite3_bind_int64(statement, index, value)
    case .real(let value): return unsafe sqlite3_bind_double(statement, index, value)
    case .text(var value):
      return value.withUTF8 { bytes in
        // An empty buffer may have no address, and SQLite takes that for NULL.
        guard let start = bytes.baseAddress else {
          return unsafe sqlite3_bind_text(statement, index, "", 0, sqlite_transient())
        }
        return unsafe start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
          unsafe sqlite3_bind_text64(
            statement,
            index,
            $0,
            UInt64(bytes.count),
            sqlite_transient(),
            UInt8(SQLITE_UTF8)
          )
        }
      }
    }
  }

  private func failure(_ code: CInt, _ sql: String) -> StorageError {
    switch code & 0xFF {
    case SQLITE_BUSY, SQLITE_LOCKED: .busy
    case SQLITE_FULL: .full
    case SQLITE_INTERRUPT: .timedOut
    default:
      .statement(code: code, reason: unsafe String(cString: sqlite3_errmsg(handle)), sql: sql)
    }
  }
}
