package import GatewayPlugin

/// The files that users train on, as the plugin `utilities` lends them.
///
/// Every call waits for the other plugin: on a worker or in a job only.
package struct TrainingFiles: Sendable {
  /// Files of one run.
  package static let maxFiles = 64
  /// Bytes of all files of one run.
  package static let maxBytes = 64 << 20
  /// Bytes asked for at once.
  static let pieceBytes = 256 * 1024

  /// Calls the service `utilities.files`.
  package typealias Call =
    @Sendable (_ method: String, _ argument: JSON, _ subject: String) throws(HostRefusal) -> JSON

  /// What is known of a file without reading it.
  package struct Description: Sendable, Equatable {
    package var id: String
    package var filename: String
    package var size: Int
    package var contentType: String

    /// Whether its bytes are text.
    package var isText: Bool {
      contentType.hasPrefix("text/") || contentType.hasSuffix("+json")
        || contentType.hasSuffix("+xml") || Self.textTypes.contains(contentType)
    }

    private static let textTypes: Set<String> = [
      "application/json", "application/jsonl", "application/x-ndjson", "application/xml",
      "application/yaml", "application/x-yaml", "application/toml", "application/javascript",
      "application/sql", "application/x-sh", "application/x-tex",
    ]
  }

  private let call: Call

  /// Files behind `call`.
  package init(_ call: @escaping Call) { self.call = call }

  /// What is known of a file.
  ///
  /// - Parameters:
  ///   - id: Its id.
  ///   - owner: Whose it is.
  /// - Returns: `nil` when `owner` has no such file.
  /// - Throws: `Failure` when the files cannot be reached.
  package func describe(_ id: String, owner: String) throws(Failure) -> Description? {
    guard let answer = try ask("describe", ["file_id": .string(id)], owner) else { return nil }
    guard let filename = answer["filename"]?.asString, let size = answer["size"]?.asInteger,
      let type = answer["content_type"]?.asString
    else { throw Self.unreachable }
    return Description(id: id, filename: filename, size: Int(size), contentType: type)
  }

  /// Reads files whole: plain text, or records of `DocumentReader`, in the order of `ids`.
  ///
  /// - Parameters:
  ///   - ids: At most `maxFiles`.
  ///   - owner: Whose they are.
  /// - Returns: The documents.
  /// - Throws: `RunFailure` for a file that is gone or no text, or too many bytes; `Failure` when they cannot be reached.
  package func documents(_ ids: [String], owner: String) throws -> [Document] {
    var found: [Document] = []
    var total = 0
    for id in ids {
      guard let file = try describe(id, owner: owner) else { throw Self.missing(id) }
      guard file.isText else {
        throw RunFailure("The file \(id) is \(file.contentType); train on text.")
      }
      total += file.size
      guard total <= Self.maxBytes else {
        throw RunFailure("The files have more than \(Self.maxBytes) bytes; train on fewer.")
      }
      do {
        found += try DocumentReader.documents(in: try read(file, owner: owner))
      } catch let fault as DataError {
        throw RunFailure("The file \(file.filename) cannot be trained on: \(fault).")
      }
    }
    return found
  }

  private func read(_ file: Description, owner: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(file.size)
    while bytes.count < file.size {
      let argument: JSON = [
        "file_id": .string(file.id), "offset": .integer(Int64(bytes.count)),
        "length": .integer(Int64(Self.pieceBytes)),
      ]
      guard let answer = try ask("read", argument, owner) else { throw Self.missing(file.id) }
      guard let text = answer["data"]?.asString,
        let piece = Base64.decode(Array(text.utf8).span), !piece.isEmpty,
        bytes.count + piece.count <= file.size
      else { throw Self.unreachable }
      bytes += piece
    }
    return bytes
  }

  /// The answer; `nil` when there is no such file.
  private func ask(_ method: String, _ argument: JSON, _ owner: String) throws(Failure) -> JSON? {
    do {
      return try call(method, argument, owner)
    } catch .notFound where isServed(owner) {
      return nil
    } catch {
      throw Self.unreachable
    }
  }

  /// Whether anyone serves files: "not found" is said of a file and of the whole service.
  private func isServed(_ owner: String) -> Bool {
    do {
      _ = try call("describe", [:], owner)
      return true
    } catch {
      return error == .argument
    }
  }

  private static func missing(_ id: String) -> RunFailure {
    RunFailure("The file \(id) is not there any more; upload it again.")
  }

  private static let unreachable = Failure.unavailable(
    "Uploaded files cannot be read just now; the plugin utilities must be running.",
    retryAfter: .seconds(5)
  )
}
