import CForge
import GatewayPlugin
import Glibc
import PluginStorage

/// A safetensors file that is open for reading; its header has been checked.
package struct SafetensorsFile: ~Copyable, Sendable {
  /// Bytes read at once.
  private static let pieceBytes = 1 << 20

  /// What it holds.
  package let header: Safetensors.Header
  private let file: OpenFile
  private let dataStart: Int

  /// Opens `path` and reads its header.
  ///
  /// - Parameter path: A file that nobody changes meanwhile.
  /// - Throws: `SafetensorsError` for what is no whole safetensors file, `StorageError`.
  package init(path: String) throws {
    let file = try OpenFile(path: path, flags: O_RDONLY)
    let size = try file.size()
    let length = try Safetensors.Header.length(file.read(at: 0, count: 8), fileSize: size)
    let text = try file.read(at: 8, count: length)
    guard text.count == length else { throw SafetensorsError("the file ends inside its header") }
    header = try Safetensors.Header(parsing: text, dataBytes: size - 8 - length)
    dataStart = 8 + length
    self.file = file
  }

  /// Hands the bytes of `tensor` to `body`, in pieces whose sizes are multiples of 8 except the last.
  ///
  /// - Parameters:
  ///   - tensor: Of this file's header.
  ///   - body: Takes one piece.
  /// - Throws: `SafetensorsError` when the file has become shorter, `StorageError`, what `body` throws.
  package func pieces(of tensor: Safetensors.Tensor, _ body: (Span<UInt8>) throws -> Void) throws {
    var at = tensor.range.lowerBound
    while at < tensor.range.upperBound {
      let count = min(Self.pieceBytes, tensor.range.upperBound - at)
      let piece = try file.read(at: dataStart + at, count: count)
      guard piece.count == count else {
        throw SafetensorsError("tensor \(tensor.name): the file ends inside it")
      }
      try body(piece.span)
      at += count
    }
  }

  /// All bytes of `tensor`.
  package func bytes(of tensor: Safetensors.Tensor) throws -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(tensor.range.count)
    try pieces(of: tensor) { piece in
      unsafe piece.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
    return bytes
  }

  /// Reads a tensor of F32, F16 or BF16 as float32.
  ///
  /// - Parameters:
  ///   - tensor: Of this file's header.
  ///   - floats: Where its numbers go.
  ///   - offset: The place of the first; all must fit.
  /// - Throws: `SafetensorsError` for another type `StorageError`.
  package func read(
    _ tensor: Safetensors.Tensor,
    into floats: Floats,
    at offset: Int = 0
  ) throws {
    precondition(offset >= 0 && tensor.count <= floats.count - offset, "\(tensor.name) fits")
    switch tensor.kind {
    case .float32, .float16, .bfloat16: break
    default:
      throw SafetensorsError(
        "tensor \(tensor.name): is \(tensor.kind.rawValue); weights are F32, F16 or BF16"
      )
    }
    var at = offset
    try pieces(of: tensor) { piece in
      let count = piece.count / tensor.kind.size
      let target = unsafe floats.start + at
      unsafe piece.withUnsafeBufferPointer { source in
        guard let bytes = source.baseAddress else { return }
        switch tensor.kind {
        case .float16: unsafe forge_from_half(count, bytes, target)
        case .bfloat16: unsafe forge_from_bfloat(count, bytes, target)
        default: unsafe memcpy(target, bytes, source.count)
        }
      }
      at += count
    }
  }
}

extension Floats {
  /// Lends the bytes of some of the values as a file holds them, the lowest byte first.
  ///
  /// - Parameters:
  ///   - range: Of the values.
  ///   - body: Takes the bytes.
  /// - Returns: What `body` gave.
  /// - Throws: What `body` threw.
  package func withBytes<Value, Problem: Error>(
    _ range: Range<Int>,
    _ body: (Span<UInt8>) throws(Problem) -> Value
  ) throws(Problem) -> Value {
    #if _endian(big)
    #error("Files hold numbers with the lowest byte first, as memory must.")
    #endif
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) of \(count) floats")
    let bytes = unsafe UnsafeRawBufferPointer(
      start: start + range.lowerBound,
      count: range.count * MemoryLayout<Float>.stride
    )
    return try body(unsafe bytes.assumingMemoryBound(to: UInt8.self).span)
  }

  /// Lends all bytes.
  package func withBytes<Value, Problem: Error>(
    _ body: (Span<UInt8>) throws(Problem) -> Value
  ) throws(Problem) -> Value { try withBytes(0..<count, body) }
}
