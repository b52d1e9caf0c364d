import Glibc
package import PluginStorage
import Synchronization

/// The result files and logs of jobs, on the disk.
///
/// Results stand in `results/JOB/LEASE/`, logs in `logs/JOB/LEASE.log`: what a lost lease has made is never mixed with what its
/// successor makes. A file's row is written before the file, so that everything on the disk is known by a row.
package final class ResultFiles: Sendable {
  /// What became of a piece.
  package enum Outcome: Sendable, Equatable {
    /// Bytes of the file that are here.
    case has(Int)
    /// The job may not make so much: why.
    case overQuota(String)
    /// The piece is wrong.
    case refused(code: String, message: String)
  }

  /// One piece of a file, as a node sends it.
  package struct Piece: Sendable {
    package var job: String
    package var lease: String
    package var path: ResultPath
    package var offset: Int
    package var size: Int
    package var sha256: String
    package var bytes: [UInt8]
    /// Bytes that all files of the job may have.
    package var quota: Int
  }

  private static let pieceBytes = 64 * 1024

  // One lock for a handful of leases: a node may repeat a piece while the first is still being written.
  private final class Stripe: Sendable { let lock = Mutex(()) }

  let directory: String
  private let database: Database
  private let settings: FogSettings
  private let stripes = (0..<16).map { _ in Stripe() }

  /// Opens the files of a directory.
  ///
  /// - Parameters:
  ///   - directory: Made when absent.
  ///   - database: With `FogTables.create`.
  ///   - settings: For the bounds.
  /// - Throws: `StorageError`.
  package init(
    directory: String,
    database: Database,
    settings: FogSettings
  ) throws(StorageError) {
    self.directory = directory
    self.database = database
    self.settings = settings
    try Folder.make(directory)
    try Folder.make(directory + "/results")
    try Folder.make(directory + "/logs")
  }

  private func locked<Value: Sendable>(
    _ lease: String,
    _ body: () throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    let stripe = stripes[lease.utf8.reduce(0) { ($0 &* 31 &+ Int($1)) & 15 }]
    return try stripe.lock.withLock { (_) throws(StorageError) -> Value in try body() }
  }

  // MARK: - Results

  /// Adds a piece to a file.
  ///
  /// - Parameter piece: At most 256 KiB; one that is there already, or comes too early, changes nothing.
  /// - Returns: Where the file is now.
  /// - Throws: `StorageError`.
  package func write(_ piece: Piece) throws(StorageError) -> Outcome {
    guard piece.offset >= 0, piece.size >= 0, piece.bytes.count <= piece.size - piece.offset else {
      return .refused(
        code: "VALIDATION_ERROR",
        message: "offset and bytes must stay within size"
      )
    }
    return try locked(piece.lease) { () throws(StorageError) in
      let files = try database.read { (connection) throws(StorageError) in
        try ResultTable.all(piece.lease, &connection)
      }
      let known = files.first { $0.path == piece.path.text }
      // Equal to a String, which is how the others are told from this one, but two files to the disk.
      if let known, !known.path.utf8.elementsEqual(piece.path.text.utf8) {
        return .refused(
          code: "VALIDATION_ERROR",
          message: "\(piece.path.text) differs from another file only in how Unicode composes it"
        )
      }
      if let known, known.size == piece.size, known.sha256 == piece.sha256 {
        if known.isComplete { return .has(known.size) }
      } else {
        // Another size or digest: the node begins the file again.
        guard piece.offset == 0 else { return .has(0) }
        if let refusal = refusal(of: piece, files) { return refusal }
        try enter(piece, isComplete: false)
        if known != nil { try remove(piece) }
      }
      return try append(piece)
    }
  }

  private func refusal(of piece: Piece, _ files: [ResultFile]) -> Outcome? {
    let others = files.filter { $0.path != piece.path.text }
    guard others.count < settings.maxOutputFiles else {
      return .overQuota("quota: more than \(settings.maxOutputFiles) result files")
    }
    let total = others.reduce(0) { $0 + $1.size }
    guard piece.size <= piece.quota - total else {
      return .overQuota(
        "quota: the result files have \(total + piece.size) bytes, of \(piece.quota) at most"
      )
    }
    let folders = Set(piece.path.folders)
    let clash = others.first { other in
      folders.contains(other.path)
        || ResultPath(other.path)?.folders.contains(piece.path.text) == true
    }
    guard let clash else { return nil }
    return .refused(
      code: "VALIDATION_ERROR",
      message: "\(piece.path.text) cannot be a file beside the file \(clash.path)"
    )
  }

  private func enter(_ piece: Piece, isComplete: Bool) throws(StorageError) {
    let file = ResultFile(
      path: piece.path.text,
      size: piece.size,
      sha256: piece.sha256,
      isComplete: isComplete
    )
    try database.write { (connection) throws(StorageError) in
      try ResultTable.put(file, piece.lease, &connection)
    }
  }

  private func append(_ piece: Piece) throws(StorageError) -> Outcome {
    let folder = try makeFolders(piece)
    let path = folder + "/" + piece.path.text
    let file = try OpenFile(path: path, flags: O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW)
    let have = try file.size()
    // More than there can be: a file of its earlier size, when the process ended before that was removed.
    guard have <= piece.size else {
      try remove(piece)
      return .has(0)
    }
    guard have == piece.offset else { return .has(have) }
    guard try Folder.space(directory).free - piece.bytes.count >= settings.minFreeBytes else {
      return .refused(code: "NO_SPACE", message: "the coordinator's disk is full")
    }
    try file.write(piece.bytes.span)
    let now = have + piece.bytes.count
    guard now == piece.size else { return .has(now) }
    guard try Self.digest(file, piece.size) == piece.sha256 else {
      try remove(piece)
      return .refused(
        code: "DIGEST_MISMATCH",
        message: "\(piece.path.text) has another SHA-256; send it again from offset 0"
      )
    }
    try file.synchronize()
    for inner in piece.path.folders.reversed() { try Folder.synchronize(folder + "/" + inner) }
    try Folder.synchronize(folder)
    try Folder.synchronize(directory + "/results/" + piece.job)
    try Folder.synchronize(directory + "/results")
    try enter(piece, isComplete: true)
    return .has(piece.size)
  }

  private func makeFolders(_ piece: Piece) throws(StorageError) -> String {
    try Folder.make(directory + "/results/" + piece.job)
    let folder = folder(piece.job, piece.lease)
    try Folder.make(folder)
    for inner in piece.path.folders { try Folder.make(folder + "/" + inner) }
    return folder
  }

  private static func digest(_ file: borrowing OpenFile, _ size: Int) throws(StorageError) -> String
  {
    var hash = SHA256()
    var at = 0
    while at < size {
      let bytes = try file.read(at: at, count: min(pieceBytes, size - at))
      guard !bytes.isEmpty else { break }
      hash.update(bytes.span)
      at += bytes.count
    }
    return hash.finish()
  }

  private func remove(_ piece: Piece) throws(StorageError) {
    try Folder.removeFile(folder(piece.job, piece.lease) + "/" + piece.path.text)
  }

  private func folder(_ job: String, _ lease: String) -> String {
    directory + "/results/" + job + "/" + lease
  }

  /// Files of a lease.
  ///
  /// - Parameter lease: Any; none is empty.
  /// - Returns: By path, the incomplete ones too.
  /// - Throws: `StorageError`.
  package func list(_ lease: String?) throws(StorageError) -> [ResultFile] {
    guard let lease else { return [] }
    return try database.read { (connection) throws(StorageError) in
      try ResultTable.all(lease, &connection)
    }
  }

  /// Opens a complete file.
  package func open(_ job: String, _ lease: String, _ path: ResultPath) throws(StorageError)
    -> OpenFile
  {
    try OpenFile(path: folder(job, lease) + "/" + path.text, flags: O_RDONLY | O_NOFOLLOW)
  }

  // MARK: - Logs

  /// Adds to a lease's log.
  ///
  /// - Parameters:
  ///   - job: Its id, as the lease's.
  ///   - lease: Whose log.
  ///   - offset: Of the first byte, counted over all of the lease's log.
  ///   - bytes: What is there already is passed over.
  ///   - limit: Bytes kept; what comes after is dropped, and a line says so.
  /// - Returns: How much of the node's log was taken, kept or dropped.
  /// - Throws: `StorageError`.
  package func log(
    _ job: String,
    _ lease: String,
    at offset: Int,
    _ bytes: [UInt8],
    limit: Int
  ) throws(StorageError) -> Int {
    try locked(lease) { () throws(StorageError) in
      try Folder.make(directory + "/logs/" + job)
      let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
      let file = try OpenFile(path: logPath(job, lease), flags: flags)
      let have = try file.size()
      // Past the limit the file says nothing of how much the node has sent: all further is taken, and dropped.
      guard have < limit else { return max(offset, 0) + bytes.count }
      guard offset >= 0, offset <= have else { return have }
      let fresh = bytes.dropFirst(have - offset)
      guard !fresh.isEmpty else { return have }
      try file.write(Array(fresh.prefix(limit - have)).span)
      if have + fresh.count >= limit {
        try file.write(Array("\n[the log is cut here: \(limit) bytes are kept]\n".utf8).span)
      }
      return have + fresh.count
    }
  }

  /// The log of a lease; `nil` when it has none.
  package func openLog(_ job: String, _ lease: String) throws(StorageError) -> OpenFile? {
    do {
      return try OpenFile(path: logPath(job, lease), flags: O_RDONLY | O_NOFOLLOW)
    } catch .system(_, ENOENT) {
      return nil
    }
  }

  /// Returns once a lease's log is on the disk.
  package func synchronizeLog(_ job: String, _ lease: String) throws(StorageError) {
    guard let file = try openLog(job, lease) else { return }
    try file.synchronize()
  }

  private func logPath(_ job: String, _ lease: String) -> String {
    directory + "/logs/" + job + "/" + lease + ".log"
  }
}

// MARK: - Removal

extension ResultFiles {
  /// Removes the result files of leases that were lost.
  package func dropAbandoned() throws(StorageError) {
    let leases = try database.read { (connection) throws(StorageError) in
      try ResultTable.abandoned(&connection)
    }
    for (job, lease) in leases { try drop(job, lease) }
  }

  /// Removes the result files of a lease.
  package func drop(_ job: String, _ lease: String) throws(StorageError) {
    try locked(lease) { () throws(StorageError) in
      let files = try list(lease)
      let folder = folder(job, lease)
      var folders: [String] = []
      for file in files {
        try Folder.removeFile(folder + "/" + file.path)
        folders += ResultPath(file.path)?.folders ?? []
      }
      // Once for each file: a set would take names for one that are two to the disk.
      for inner in folders.sorted(by: { $0.utf8.count > $1.utf8.count }) {
        unsafe rmdir(folder + "/" + inner)
      }
      unsafe rmdir(folder)
      // Stays while another lease has files there.
      unsafe rmdir(directory + "/results/" + job)
      try database.write { (connection) throws(StorageError) in
        try ResultTable.remove(lease, &connection)
      }
    }
  }

  /// Removes the logs of a job.
  package func dropLogs(_ job: String, leases: [String]) throws(StorageError) {
    for lease in leases { try Folder.removeFile(logPath(job, lease)) }
    unsafe rmdir(directory + "/logs/" + job)
  }
}
