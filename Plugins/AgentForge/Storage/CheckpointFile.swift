import GatewayPlugin
import Glibc
package import PluginStorage

/// One checkpoint as a safetensors file: its tensors as F32, its state as the tensor `forge.state`, and a digest of both.
package enum CheckpointFile {
  private static let stateName = "forge.state"
  private static let digestName = "forge.sha256"

  /// Writes a file and brings it to the disk.
  ///
  /// - Parameters:
  ///   - checkpoint: Its tensors have different names, none of them `forge.state`.
  ///   - path: What is there is replaced.
  /// - Throws: `StorageError`; the file may be there in part.
  package static func write(_ checkpoint: Checkpoint, to path: String) throws(StorageError) {
    let state = checkpoint.state.bytes
    var parts = [(name: stateName, kind: Safetensors.Kind.uint8, dimensions: [state.count])]
    parts += checkpoint.tensors.map { ($0.name, .float32, [$0.values.count]) }
    var hash = SHA256()
    hash.update(Safetensors.Header(parts).bytes.span)
    hash.update(state.span)
    for tensor in checkpoint.tensors { tensor.values.withBytes { hash.update($0) } }
    let header = Safetensors.Header(parts, metadata: [.init(digestName, hash.finish())])
    let file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(header.bytes.span)
    try file.write(state.span)
    for tensor in checkpoint.tensors {
      try tensor.values.withBytes { (bytes) throws(StorageError) in try file.write(bytes) }
    }
    try file.synchronize()
  }

  /// Reads a file that is whole.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - account: Is told of the tensors' bytes.
  /// - Returns: What was written.
  /// - Throws: `SafetensorsError` with the reason when any byte is not as written, `StorageError`.
  package static func read(_ path: String, _ account: MemoryAccount? = nil) throws -> Checkpoint {
    let file = try SafetensorsFile(path: path)
    let tensors = file.header.tensors
    guard let stateTensor = tensors.first, stateTensor.name == stateName,
      stateTensor.kind == .uint8
    else { throw SafetensorsError("tensor \(stateName) is missing") }
    guard file.header.metadata.count == 1, let digest = file.header.label(digestName) else {
      throw SafetensorsError("\(digestName) is missing")
    }
    let parts = tensors.map { (name: $0.name, kind: $0.kind, dimensions: $0.dimensions) }
    var hash = SHA256()
    hash.update(Safetensors.Header(parts).bytes.span)
    let state = try file.bytes(of: stateTensor)
    hash.update(state.span)
    var read: [(name: String, values: Floats)] = []
    for tensor in tensors.dropFirst() {
      guard tensor.kind == .float32 else {
        throw SafetensorsError("tensor \(tensor.name): is \(tensor.kind.rawValue), not F32")
      }
      let floats = Floats(tensor.count, account)
      try file.read(tensor, into: floats)
      floats.withBytes { hash.update($0) }
      read.append((tensor.name, floats))
    }
    guard hash.finish() == digest else {
      throw SafetensorsError("the content does not have the digest it was written with")
    }
    do { return Checkpoint(state: try JSON.parse(state), tensors: read) } catch {
      throw SafetensorsError("tensor \(stateName): is not valid JSON at \(error)")
    }
  }
}
