package import GatewayPlugin
import PluginStorage

/// The service `utilities.files`: other plugins read what a user has uploaded.
///
/// | method | argument | result |
/// |---|---|---|
/// | `describe` | `file_id` | `file_id, filename, size, content_type, sha256` |
/// | `read` | `file_id, offset, length` | `data` (base64, shorter only at the file's end), `size` of the whole file |
///
/// A call sees the files of its `subject` alone. `HostRefusal.notFound`: no such file among them; `.argument`: a member
/// of the argument is missing or out of range.
package struct FileService: Sendable {
  /// What other plugins call it.
  package static let name = "utilities.files"

  /// Bytes that one `read` gives at most.
  package static let maxReadBytes = 256 * 1024

  private let documents: Documents

  /// Serves the files of `documents`.
  package init(_ documents: Documents) { self.documents = documents }

  /// Answers one call; on a worker, may block.
  ///
  /// - Parameter call: Of another plugin.
  /// - Returns: The result, as the table above says.
  /// - Throws: `HostRefusal` for the caller, `StorageError` for the log.
  package func answer(_ call: Services.Call) throws -> JSON {
    try answer(call.method, call.argument, subject: call.subject)
  }

  /// The same, of a call's parts.
  ///
  /// - Parameters:
  ///   - method: What is wanted.
  ///   - argument: With what.
  ///   - subject: Whose files; empty has none.
  /// - Returns: The result.
  /// - Throws: `HostRefusal` for the caller, `StorageError` for the log.
  package func answer(_ method: String, _ argument: JSON, subject: String) throws -> JSON {
    switch method {
    case "describe":
      let file = try find(argument, subject)
      return [
        "file_id": .string(file.id), "filename": .string(file.filename),
        "size": .integer(Int64(file.size)), "content_type": .string(file.contentType),
        "sha256": .string(file.sha256),
      ]
    case "read":
      let file = try find(argument, subject)
      guard let offset = argument["offset"]?.asInteger, offset >= 0,
        let length = argument["length"]?.asInteger, (1...Int64(Self.maxReadBytes)).contains(length)
      else { throw HostRefusal.argument }
      var data: [UInt8] = []
      if offset < file.size {
        data = try documents.blobs.open(sha256: file.sha256)
          .read(at: Int(offset), count: min(Int(length), file.size - Int(offset)))
      }
      return ["data": .string(Base64.encode(data)), "size": .integer(Int64(file.size))]
    default: throw HostRefusal.unsupported("\(Self.name) \(method)")
    }
  }

  private func find(_ argument: JSON, _ subject: String) throws -> FileRecord {
    guard let id = argument["file_id"]?.asString else { throw HostRefusal.argument }
    guard !subject.isEmpty, let file = try documents.file(id, owner: subject) else {
      throw HostRefusal.notFound
    }
    return file
  }
}
