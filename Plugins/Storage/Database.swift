import Glibc
import Synchronization

/// The plugin's database: one writer, and readers that never wait for it.
package final class Database: Sendable {
  private final class Reader: Sendable {
    let connection: Mutex<Connection>
    init(_ connection: consuming Connection) { self.connection = Mutex(connection) }
  }

  private let writer: Mutex<Connection>
  private let readers: [Reader]
  private let turn = Atomic<Int>(0)

  /// Opens or makes the database and brings its schema up to date.
  ///
  /// A failed migration leaves the database as it was.
  package init(path: String, schema: DatabaseSchema, readers: Int = 4) throws(StorageError) {
    try Self.makeFile(path)
    var first = try Connection.open(path: path, readOnly: false)
    try schema.migrate(&first)
    writer = Mutex(first)
    var made: [Reader] = []
    for _ in 0..<max(1, readers) {
      made.append(Reader(try Connection.open(path: path, readOnly: true)))
    }
    self.readers = made
  }

  /// Makes the file so that only this user can read it; SQLite gives its companions the same mode.
  ///
  /// An existing one is not touched: closing a further descriptor of it would drop SQLite's locks.
  private static func makeFile(_ path: String) throws(StorageError) {
    do {
      _ = try OpenFile(path: path, flags: O_RDWR | O_CREAT | O_EXCL)
    } catch .system(_, EEXIST) {}
  }

  /// Runs `body` in one transaction; nothing of it stays when it throws.
  package func write<Value: Sendable>(
    _ body: (inout Connection) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try writer.withLock { (connection) throws(StorageError) -> Value in
      try connection.transaction(body)
    }
  }

  /// Runs `body` on a read-only connection.
  ///
  /// - Parameters:
  ///   - deadline: Monotonic nanoseconds after which statements end with `timedOut`; `nil` for none.
  ///   - body: What to read.
  /// - Returns: What `body` gave.
  /// - Throws: What `body` threw.
  package func read<Value: Sendable>(
    until deadline: UInt64? = nil,
    _ body: (inout Connection) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    let start = turn.wrappingAdd(1, ordering: .relaxed).oldValue & Int.max
    let reader = readers[start % readers.count]
    return try reader.connection.withLock { (connection) throws(StorageError) -> Value in
      connection.limit(until: deadline)
      defer { connection.limit(until: nil) }
      return try connection.atOneMoment(body)
    }
  }
}

extension Connection {
  /// Runs `body` so that all its statements see the database of the same moment.
  fileprivate mutating func atOneMoment<Value>(
    _ body: (inout Connection) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try run("BEGIN")
    let result: Result<Value, StorageError>
    do { result = .success(try body(&self)) } catch { result = .failure(error) }
    limit(until: nil)
    // Nothing was written, so the end of a reading transaction has nothing to lose.
    _ = try? run("COMMIT")
    return try result.get()
  }
}
