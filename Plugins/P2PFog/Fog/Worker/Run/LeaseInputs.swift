import GatewayPlugin
import Glibc
import PluginStorage

/// The submitter's files, fetched from the coordinator and checked.
struct LeaseInputs {
  /// Bytes asked for at once.
  static let piece = 256 << 10

  let calls: LeaseCalls
  let folder: LeaseFolder

  /// Fetches every input of the offer.
  ///
  /// - Returns: Where each stands, by its file id.
  /// - Throws: `LeaseStopped`; `NodeFault` when a file does not come as it was promised; `StorageError`.
  func fetch() throws -> [String: String] {
    var paths: [String: String] = [:]
    for (number, input) in calls.lease.offer.inputs.enumerated() {
      let path = "\(folder.received)/\(number)"
      try fetch(input, to: path)
      paths[input.fileID] = path
    }
    return paths
  }

  private func fetch(_ input: LeaseOffer.Input, to path: String) throws {
    let file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_EXCL)
    var digest = SHA256()
    var offset = 0
    while offset < input.size {
      let bytes = try piece(of: input, at: offset)
      guard !bytes.isEmpty, offset + bytes.count <= input.size else {
        throw NodeFault("the file \(input.fileID) came in another size than was said")
      }
      digest.update(bytes.span)
      try file.write(bytes.span)
      offset += bytes.count
    }
    guard digest.finish() == input.sha256 else {
      throw NodeFault("the file \(input.fileID) came with another SHA-256 than was said")
    }
  }

  private func piece(of input: LeaseOffer.Input, at offset: Int) throws -> [UInt8] {
    do {
      return try calls.ask(
        "fog.input",
        [
          .init(name: "file_id", value: .string(input.fileID)),
          .init(name: "offset", value: .integer(Int64(offset))),
          .init(name: "length", value: .integer(Int64(min(Self.piece, input.size - offset)))),
        ]
      ).bytes
    } catch CallFailure.refused(let code, let message) {
      throw NodeFault("the file \(input.fileID) was refused: \(code), \(message)")
    }
  }
}
