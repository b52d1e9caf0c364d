import Glibc
package import PluginStorage

/// The last checkpoints of every run: `<directory>/runs/<run>/checkpoint-<n>.safetensors`, a higher n is newer.
///
/// A run's checkpoints are written and read by one thread at a time.
package struct CheckpointStore: Sendable {
  /// How many are kept of a run: should the newest turn out to be corrupt, there is one before it.
  private static let kept = 2

  private static let partialName = "checkpoint.partial"

  /// What was found of a run.
  package struct Reading: Sendable {
    /// The newest that is whole.
    package let checkpoint: Checkpoint
    /// For each newer one why it was refused, for the log.
    package let refused: [String]
  }

  private let runs: String

  /// The checkpoints in `directory`, the plugin's.
  package init(directory: String) throws(StorageError) {
    runs = directory + "/runs"
    try Folder.make(directory)
    try Folder.make(runs)
  }

  /// Stores a checkpoint; when this returns it survives a crash.
  ///
  /// - Parameters:
  ///   - checkpoint: Where the run stands.
  ///   - run: The run's id.
  /// - Throws: `StorageError`; what was stored before is still there.
  package func write(_ checkpoint: Checkpoint, run: String) throws(StorageError) {
    let folder = folder(run)
    try Folder.make(folder)
    let numbers = try numbers(folder)
    let partial = folder + "/" + Self.partialName
    do throws(StorageError) {
      try CheckpointFile.write(checkpoint, to: partial)
      try Folder.rename(partial, path(folder, (numbers.first ?? 0) + 1))
    } catch {
      try? Folder.removeFile(partial)
      throw error
    }
    try Folder.synchronize(folder)
    if numbers.isEmpty { try Folder.synchronize(runs) }
    for number in numbers.dropFirst(Self.kept - 1) { try Folder.removeFile(path(folder, number)) }
  }

  /// Reads the newest checkpoint that is whole.
  ///
  /// Newer ones that are not are removed, so that they do not take the place of whole ones later.
  ///
  /// - Parameters:
  ///   - run: The run's id.
  ///   - account: Is told of the tensors' bytes.
  /// - Returns: The checkpoint; `nil` when there is none.
  /// - Throws: `CheckpointError` when there are some and all are corrupt, `StorageError`.
  package func read(run: String, _ account: MemoryAccount? = nil) throws -> Reading? {
    let folder = folder(run)
    let numbers = try numbers(folder)
    var refused: [String] = []
    for (index, number) in numbers.enumerated() {
      let path = path(folder, number)
      do {
        let checkpoint = try CheckpointFile.read(path, account)
        for newer in numbers[..<index] { try Folder.removeFile(self.path(folder, newer)) }
        return Reading(checkpoint: checkpoint, refused: refused)
      } catch let error as SafetensorsError {
        refused.append("checkpoint \(number): \(error)")
      } catch StorageError.system(let call, EIO) {
        refused.append("checkpoint \(number): \(StorageError.system(call: call, code: EIO))")
      }
    }
    guard refused.isEmpty else { throw CheckpointError(reasons: refused) }
    return nil
  }

  /// Bytes of a run's newest checkpoint, about what reading it takes in memory; 0 without one.
  package func bytes(run: String) throws(StorageError) -> Int {
    let folder = folder(run)
    guard let newest = try numbers(folder).first else { return 0 }
    return try OpenFile(path: path(folder, newest), flags: O_RDONLY).size()
  }

  /// Removes a run's checkpoints; none is no error.
  package func remove(run: String) throws(StorageError) { try Folder.remove(folder(run)) }

  private func folder(_ run: String) -> String {
    precondition(!run.isEmpty && !run.contains("/") && !run.hasPrefix("."), "a run has an id")
    return runs + "/" + run
  }

  private func path(_ folder: String, _ number: Int) -> String {
    "\(folder)/checkpoint-\(number).safetensors"
  }

  /// The numbers there are, the newest first.
  private func numbers(_ folder: String) throws(StorageError) -> [Int] {
    try Folder.names(folder).compactMap { name -> Int? in
      let prefix = "checkpoint-"
      let suffix = ".safetensors"
      guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
      return Int(name.dropFirst(prefix.count).dropLast(suffix.count))
    }.sorted(by: >)
  }
}

/// No checkpoint of a run is whole.
package struct CheckpointError: Error, Equatable, CustomStringConvertible {
  /// For each why.
  package let reasons: [String]

  package var description: String {
    "No checkpoint of the run can be used; start it anew. \(reasons.joined(separator: "; "))."
  }
}
