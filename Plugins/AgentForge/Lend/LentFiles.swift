package import GatewayPlugin
import Glibc
package import PluginStorage

/// Files that another plugin brings for the runs of one subject, because nobody has uploaded them here.
///
/// They are read as `utilities.files` gives a user's own; they stay until their subject is cleared, because a run that goes
/// on after a restart reads them again.
package struct LentFiles: Sendable {
  /// Bytes of one subject's files together: what a run may train on.
  package static let maxBytes = TrainingFiles.maxBytes
  /// Files of one subject.
  package static let maxFiles = TrainingFiles.maxFiles
  /// Bytes that come or go at once.
  package static let pieceBytes = 256 << 10

  private let directory: String

  /// Files in the folder `lent` of the plugin's directory.
  ///
  /// - Parameter directory: Of the plugin.
  /// - Throws: `StorageError`.
  package init(directory: String) throws(StorageError) {
    self.directory = directory + "/lent"
    try Folder.make(self.directory)
  }

  private func folder(_ subject: String) -> String {
    directory + "/" + SHA256.hexadecimal(of: subject)
  }

  /// Path of a file; `nil` for an id that is none.
  private func path(_ id: String, _ subject: String) -> String? {
    UUID4.isWellFormed(id) ? "\(folder(subject))/\(id)" : nil
  }

  /// Adds bytes to a file, which is made by its first ones.
  ///
  /// - Parameters:
  ///   - id: A UUID of the caller's making.
  ///   - subject: Whose it is.
  ///   - offset: Where the bytes belong; what is there already is passed over, so that a call may be repeated.
  ///   - bytes: At most `pieceBytes`.
  /// - Returns: Bytes that the file has now.
  /// - Throws: `HostRefusal.argument` for a bad id, a gap or too many bytes, `.limit` for too many files, `StorageError`.
  package func put(
    _ id: String,
    subject: String,
    offset: Int,
    _ bytes: [UInt8]
  ) throws -> Int {
    guard let path = path(id, subject), bytes.count <= Self.pieceBytes else {
      throw HostRefusal.argument
    }
    try Folder.make(folder(subject))
    let names = try Folder.names(folder(subject))
    guard names.contains(id) || names.count < Self.maxFiles else { throw HostRefusal.limit }
    let file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_APPEND)
    let size = try file.size()
    guard offset >= 0, offset <= size else { throw HostRefusal.argument }
    let fresh = Array(bytes.dropFirst(size - offset))
    var total = fresh.count
    for name in names {
      total += try OpenFile(path: "\(folder(subject))/\(name)", flags: O_RDONLY).size()
    }
    guard total <= Self.maxBytes else { throw HostRefusal.limit }
    try file.write(fresh.span)
    return size + fresh.count
  }

  /// Answers as the service `utilities.files` does.
  ///
  /// - Parameters:
  ///   - method: `describe` or `read`.
  ///   - argument: As there.
  ///   - subject: Whose files.
  /// - Returns: As there; everything is plain text, which the reader checks.
  /// - Throws: `HostRefusal`.
  package func answer(
    _ method: String,
    _ argument: JSON,
    subject: String
  ) throws(HostRefusal) -> JSON {
    guard let id = argument["file_id"]?.asString else { throw .argument }
    guard let path = path(id, subject),
      let file = try? OpenFile(path: path, flags: O_RDONLY), let size = try? file.size()
    else { throw .notFound }
    switch method {
    case "describe":
      return [
        "file_id": .string(id), "filename": .string(id), "size": .integer(Int64(size)),
        "content_type": "text/plain",
      ]
    case "read":
      guard let offset = argument["offset"]?.asInteger, (0...Int64(size)).contains(offset),
        let length = argument["length"]?.asInteger, (1...Int64(Self.pieceBytes)).contains(length),
        let bytes = try? file.read(at: Int(offset), count: min(Int(length), size - Int(offset)))
      else { throw .argument }
      return ["data": .string(Base64.encode(bytes)), "size": .integer(Int64(size))]
    default: throw .unsupported("files \(method)")
    }
  }

  /// Calls for files that go here for subjects of `TrainService`, and on to `others` for users.
  ///
  /// - Parameter others: The service `utilities.files`.
  /// - Returns: Both as one.
  package func before(_ others: @escaping TrainingFiles.Call) -> TrainingFiles.Call {
    { (method, argument, subject) throws(HostRefusal) in
      guard subject.hasPrefix(TrainService.prefix) else {
        return try others(method, argument, subject)
      }
      return try answer(method, argument, subject: subject)
    }
  }

  /// Removes every file of a subject.
  package func remove(subject: String) throws(StorageError) {
    try Folder.remove(folder(subject))
  }

  /// Removes every file of everyone.
  package func removeAll() throws(StorageError) {
    for name in try Folder.names(directory) { try Folder.remove(directory + "/" + name) }
  }
}
