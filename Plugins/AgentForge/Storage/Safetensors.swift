import GatewayPlugin
import PluginStorage

/// The file format of huggingface/safetensors: named tensors, and nothing that is executed when it is read.
///
/// The length of the header as 8 bytes, the lowest first; the header, a JSON object; the tensors' bytes, one after
/// another without gaps (<https://github.com/huggingface/safetensors#format>).
package enum Safetensors {
  /// The most bytes a header may have.
  package static let maxHeaderBytes = 8 << 20

  /// The member of the header that holds no tensor.
  static let metadataName = "__metadata__"

  /// What a tensor's elements are.
  package enum Kind: String, Sendable, CaseIterable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case uint8 = "U8"
    case int8 = "I8"
    case int32 = "I32"
    case int64 = "I64"

    /// Bytes of one element.
    package var size: Int {
      switch self {
      case .uint8, .int8: 1
      case .float16, .bfloat16: 2
      case .float32, .int32: 4
      case .int64: 8
      }
    }
  }

  /// One tensor of a file.
  package struct Tensor: Sendable, Equatable {
    package let name: String
    package let kind: Kind
    /// Sizes, the outermost first; none for a single number.
    package let dimensions: [Int]
    /// Its bytes, counted from the end of the header.
    package let range: Range<Int>

    /// How many elements.
    package var count: Int { range.count / kind.size }
  }

  /// One value of the header's text metadata.
  package struct Label: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }
}

/// Why a file is no safetensors file, or not the one that was expected; names the tensor.
package struct SafetensorsError: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}
