import GatewayPlugin
import PluginStorage

extension Safetensors {
  /// What stands before the tensors' bytes.
  package struct Header: Sendable, Equatable {
    /// In the order of their bytes.
    package private(set) var tensors: [Tensor]
    /// Text beside the tensors.
    package let metadata: [Label]

    /// The header of tensors that will stand one after another.
    ///
    /// - Parameters:
    ///   - parts: The tensors in order; the names differ, and none is `__metadata__`.
    ///   - metadata: Text beside them.
    package init(
      _ parts: [(name: String, kind: Kind, dimensions: [Int])],
      metadata: [Label] = []
    ) {
      var end = 0
      tensors = parts.map { part in
        let start = end
        end += part.dimensions.reduce(part.kind.size, *)
        return Tensor(
          name: part.name,
          kind: part.kind,
          dimensions: part.dimensions,
          range: start..<end
        )
      }
      self.metadata = metadata
      precondition(Set(tensors.map(\.name)).count == tensors.count, "tensors of the same name")
    }

    /// Bytes of all tensors.
    package var dataBytes: Int { tensors.last?.range.upperBound ?? 0 }

    /// The tensor of that name.
    package func tensor(_ name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// The metadata of that name.
    package func label(_ name: String) -> String? { metadata.first { $0.name == name }?.value }

    /// Length and header as they stand in the file; the data after them begin at a multiple of 8.
    package var bytes: [UInt8] {
      var members: [JSON.Member] = []
      if !metadata.isEmpty {
        let labels = metadata.map { JSON.Member(name: $0.name, value: .string($0.value)) }
        members.append(JSON.Member(name: Safetensors.metadataName, value: .object(labels)))
      }
      members += tensors.map { JSON.Member(name: $0.name, value: $0.json) }
      var text = JSON.object(members).bytes
      while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
      let length = UInt64(text.count)
      return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text
    }
  }
}

extension Safetensors.Tensor {
  fileprivate var json: JSON {
    [
      "dtype": .string(kind.rawValue),
      "shape": .array(dimensions.map { .integer(Int64($0)) }),
      "data_offsets": [.integer(Int64(range.lowerBound)), .integer(Int64(range.upperBound))],
    ]
  }
}

// MARK: - Reading

extension Safetensors.Header {
  /// The length of the header that `prefix`, the first 8 bytes of a file, announces.
  ///
  /// - Parameters:
  ///   - prefix: The bytes; fewer when the file has fewer.
  ///   - fileSize: Bytes of the whole file.
  /// - Returns: Bytes of the header, inside the file and the limit.
  /// - Throws: `SafetensorsError` when it cannot be.
  package static func length(
    _ prefix: [UInt8],
    fileSize: Int
  ) throws(SafetensorsError) -> Int {
    guard prefix.count == 8 else {
      throw SafetensorsError("the file has \(prefix.count) bytes; a header's length has 8")
    }
    let announced = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard announced <= UInt64(Safetensors.maxHeaderBytes) else {
      throw SafetensorsError(
        "the header has \(announced) bytes and may have \(Safetensors.maxHeaderBytes)"
      )
    }
    guard Int(announced) <= fileSize - 8 else {
      throw SafetensorsError("the file ends inside its header of \(announced) bytes")
    }
    return Int(announced)
  }

  /// Reads a header.
  ///
  /// - Parameters:
  ///   - text: The JSON, without the length before it.
  ///   - dataBytes: How many bytes stand after it in the file.
  /// - Throws: `SafetensorsError` naming the tensor that is not as it must be.
  package init(parsing text: [UInt8], dataBytes: Int) throws(SafetensorsError) {
    let json: JSON
    do { json = try JSON.parse(text) } catch {
      throw SafetensorsError("the header is not valid JSON at \(error)")
    }
    guard text.first == UInt8(ascii: "{"), let members = json.asMembers else {
      throw SafetensorsError("the header is not a JSON object")
    }
    var tensors: [Safetensors.Tensor] = []
    var metadata: [Safetensors.Label] = []
    for member in members {
      if member.name == Safetensors.metadataName {
        metadata = try Self.labels(member.value)
      } else {
        tensors.append(try Self.tensor(member.name, member.value))
      }
    }
    // Tensors without elements share their place with the one that follows.
    tensors.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    var end = 0
    for tensor in tensors {
      guard tensor.range.lowerBound == end else {
        throw SafetensorsError(
          "tensor \(shown(tensor.name)): begins at byte \(tensor.range.lowerBound), and the one "
            + "before it ends at \(end)"
        )
      }
      end = tensor.range.upperBound
      guard end <= dataBytes else {
        throw SafetensorsError(
          "tensor \(shown(tensor.name)): ends at byte \(end), and the file has \(dataBytes) after "
            + "the header"
        )
      }
    }
    guard end == dataBytes else {
      throw SafetensorsError("\(dataBytes - end) bytes stand after the last tensor")
    }
    self.tensors = tensors
    self.metadata = metadata
  }

  private static func labels(_ json: JSON) throws(SafetensorsError) -> [Safetensors.Label] {
    guard let members = json.asMembers else {
      throw SafetensorsError("\(Safetensors.metadataName) is not a JSON object")
    }
    var labels: [Safetensors.Label] = []
    for member in members {
      guard let value = member.value.asString else {
        throw SafetensorsError("\(Safetensors.metadataName).\(shown(member.name)) is not text")
      }
      labels.append(Safetensors.Label(member.name, value))
    }
    return labels
  }

  private static func tensor(
    _ name: String,
    _ json: JSON
  ) throws(SafetensorsError) -> Safetensors.Tensor {
    func fault(_ reason: String) -> SafetensorsError {
      SafetensorsError("tensor \(shown(name)): \(reason)")
    }
    guard let members = json.asMembers else { throw fault("is not described by a JSON object") }
    for member in members where !["dtype", "shape", "data_offsets"].contains(member.name) {
      throw fault("\(shown(member.name)) is not known here")
    }
    guard let kind = json["dtype"]?.asString.flatMap(Safetensors.Kind.init) else {
      let known = Safetensors.Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault("dtype must be one of \(known)")
    }
    guard let dimensions = numbers(json["shape"], 0...8) else {
      throw fault("shape must be a list of at most 8 whole numbers from 0")
    }
    guard let offsets = numbers(json["data_offsets"], 2...2), offsets[0] <= offsets[1] else {
      throw fault("data_offsets must be begin and end of its bytes")
    }
    var bytes = kind.size
    for dimension in dimensions {
      let (product, overflows) = bytes.multipliedReportingOverflow(by: dimension)
      guard !overflows else { throw fault("shape \(dimensions) is too large") }
      bytes = product
    }
    guard bytes == offsets[1] - offsets[0] else {
      throw fault(
        "shape \(dimensions) of \(kind.rawValue) takes \(bytes) bytes, and data_offsets give it "
          + "\(offsets[1] - offsets[0])"
      )
    }
    return Safetensors.Tensor(
      name: name,
      kind: kind,
      dimensions: dimensions,
      range: offsets[0]..<offsets[1]
    )
  }

  private static func numbers(_ json: JSON?, _ count: ClosedRange<Int>) -> [Int]? {
    guard let values = json?.asArray, count.contains(values.count) else { return nil }
    var numbers: [Int] = []
    for value in values {
      guard case .integer(let number) = value, number >= 0 else { return nil }
      numbers.append(Int(number))
    }
    return numbers
  }
}

/// A name from a file as a message shows it: not longer than a line.
private func shown(_ name: String) -> String {
  name.unicodeScalars.count <= 120 ? name : String(name.unicodeScalars.prefix(120)) + "…"
}
