import CForge
import PluginStorage
import Testing

@testable import AgentForge

@Suite("Safetensors")
struct SafetensorsTests {
  /// A file of these tensors.
  static func file(
    _ parts: [(name: String, kind: Safetensors.Kind, dimensions: [Int])],
    _ data: [UInt8],
    metadata: [Safetensors.Label] = []
  ) -> [UInt8] {
    Safetensors.Header(parts, metadata: metadata).bytes + data
  }

  /// A file with a header written by hand.
  static func file(header: String, data: Int) -> [UInt8] {
    let text = Array(header.utf8)
    return (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) } + text
      + [UInt8](repeating: 0, count: data)
  }

  static let small = file(
    [("b", .float32, [2, 2]), ("a", .bfloat16, [3]), ("none", .int64, [0]), ("one", .uint8, [])],
    Array(1...23),
    metadata: [.init("format", "pt"), .init("é\n", "\"")]
  )

  static func fault(_ bytes: [UInt8], _ folder: TemporaryFolder) -> String? {
    folder.write("x", bytes)
    do {
      let file = try SafetensorsFile(path: folder.path + "/x")
      for tensor in file.header.tensors { _ = try file.bytes(of: tensor) }
      return nil
    } catch { return "\(error)" }
  }

  @Test("a header comes back, and the data begin at a multiple of 8")
  func aHeaderComesBack() throws {
    let folder = TemporaryFolder()
    folder.write("x", Self.small)
    let file = try SafetensorsFile(path: folder.path + "/x")
    let header = file.header
    #expect(header.tensors.map(\.name) == ["b", "a", "none", "one"])
    #expect(header.tensors.map(\.dimensions) == [[2, 2], [3], [0], []])
    #expect(header.tensors.map(\.count) == [4, 3, 0, 1])
    #expect(header.metadata == [.init("format", "pt"), .init("é\n", "\"")])
    let numbers = try file.bytes(of: #require(header.tensor("a")))
    let one = try file.bytes(of: #require(header.tensor("one")))
    #expect(numbers == Array(17...22) && one == [23])
    #expect((Self.small.count - 23) % 8 == 0)
  }

  @Test("a file cut at any byte is refused, and one with a byte more")
  func aCutFileIsRefused() {
    let folder = TemporaryFolder()
    #expect(Self.fault(Self.small, folder) == nil)
    for count in 0..<Self.small.count {
      #expect(Self.fault(Array(Self.small.prefix(count)), folder) != nil, "\(count)")
    }
    #expect(Self.fault(Self.small + [0], folder) == "1 bytes stand after the last tensor")
  }

  @Test("a header that lies is refused with the tensor's name")
  func aLyingHeaderIsRefused() {
    let folder = TemporaryFolder()
    func tensor(_ dtype: String, _ shape: String, _ offsets: String) -> String {
      "{\"w\":{\"dtype\":\(dtype),\"shape\":\(shape),\"data_offsets\":\(offsets)}}"
    }
    #expect(
      Self.fault(Self.file(header: tensor("\"F32\"", "[2]", "[0,8]"), data: 8), folder) == nil
    )
    let max = Int64.max
    for (header, expected) in [
      (tensor("\"F64\"", "[1]", "[0,8]"), "dtype"), (tensor("3", "[2]", "[0,8]"), "dtype"),
      (tensor("\"F32\"", "[3]", "[0,8]"), "takes 12 bytes"),
      (tensor("\"F32\"", "[-2]", "[0,8]"), "shape"), (tensor("\"F32\"", "2", "[0,8]"), "shape"),
      (tensor("\"F32\"", "[2.0]", "[0,8]"), "shape"),
      (tensor("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), "shape"),
      (tensor("\"F32\"", "[\(max),\(max)]", "[0,8]"), "too large"),
      (tensor("\"F32\"", "[2]", "[8,0]"), "data_offsets"),
      (tensor("\"F32\"", "[2]", "[0]"), "data_offsets"),
      (tensor("\"F32\"", "[2]", "[0,8,9]"), "data_offsets"),
      (tensor("\"F32\"", "[2]", "[-8,0]"), "data_offsets"),
      (tensor("\"F32\"", "[2]", "[\(max - 8),\(max)]"), "begins at byte"),
      (tensor("\"F32\"", "[3]", "[0,12]"), "ends at byte 12"),
      (tensor("\"F32\"", "[1]", "[4,8]"), "begins at byte 4"),
      ("{\"w\":[]}", "JSON object"), ("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", "data_offsets"),
      (
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"extra\":1}}", "extra"
      ),
    ] {
      let found = Self.fault(Self.file(header: header, data: 8), folder)
      #expect(found?.hasPrefix("tensor w: ") == true, "\(header): \(found ?? "taken")")
      #expect(found?.contains(expected) == true, "\(header): \(found ?? "taken")")
    }
  }

  @Test("what is no header is refused")
  func whatIsNoHeaderIsRefused() {
    let folder = TemporaryFolder()
    for header in [
      "", "[]", "null", " {}", "{\"__metadata__\":1}", "{\"__metadata__\":{\"a\":1}}", "{\"w\":1",
    ] {
      #expect(Self.fault(Self.file(header: header, data: 0), folder) != nil, "\(header)")
    }
    #expect(Self.fault(Self.file(header: "{}", data: 0), folder) == nil)
    let twice = "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}"
    let repeated = Self.file(header: "{\"w\":\(twice),\"w\":\(twice)}", data: 0)
    #expect(Self.fault(repeated, folder)?.contains("JSON") == true)
    // Two tensors on the same bytes.
    let first = "{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}"
    let overlapping = Self.file(header: "{\"a\":\(first),\"b\":\(first)}", data: 8)
    #expect(Self.fault(overlapping, folder)?.contains("begins at byte 0") == true)
    for length in [UInt64.max, 1 << 63, UInt64(Safetensors.maxHeaderBytes) + 1] {
      let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
      #expect(Self.fault(prefix + Array("{}".utf8), folder)?.contains("may have") == true)
    }
  }

  @Test("a header may have the most bytes, and not one more, and ends inside the file")
  func theHeaderLimitHolds() throws {
    func length(_ count: Int, fileSize: Int) throws -> Int {
      let prefix = (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
      return try Safetensors.Header.length(prefix, fileSize: fileSize)
    }
    let most = Safetensors.maxHeaderBytes
    #expect(try length(most, fileSize: most + 8) == most)
    #expect(throws: SafetensorsError.self) { try length(most, fileSize: most + 7) }
    #expect(throws: SafetensorsError.self) { try length(most + 1, fileSize: most + 9) }
  }

  @Test("half precision becomes float32 exactly, for every value there is")
  func halfPrecisionIsExact() {
    let bytes = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let floats = Floats(65_536)
    forge_from_half(65_536, bytes, floats.start)
    let wrongHalves = (0...UInt16.max).filter { bits in
      let sign: Float = bits & 0x8000 == 0 ? 1 : -1
      let exponent = Int(bits >> 10 & 31)
      let fraction = Float(bits & 1023) / 1024
      let found = floats[Int(bits)]
      if exponent == 31 { return fraction == 0 ? found != sign * .infinity : !found.isNaN }
      let wanted =
        exponent == 0
        ? fraction * 0x1p-14
        : Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction)
      return found != sign * wanted || found.sign != (sign < 0 ? .minus : .plus)
    }
    #expect(wrongHalves.isEmpty)
    forge_from_bfloat(65_536, bytes, floats.start)
    let wrong = (0...UInt16.max).filter {
      floats[Int($0)].bitPattern != UInt32($0) << 16 && !floats[Int($0)].isNaN
    }
    #expect(wrong.isEmpty)
  }

  @Test("weights of each width are read, integers are refused")
  func weightsOfEachWidth() throws {
    let folder = TemporaryFolder()
    folder.write(
      "x",
      Self.file(
        [("w", .float32, [2]), ("h", .float16, [2]), ("b", .bfloat16, [2]), ("i", .int32, [1])],
        [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0] + [0, 0x3C, 0, 0xC0] + [0x80, 0x3F, 0, 0xC0]
          + [1, 0, 0, 0]
      )
    )
    let file = try SafetensorsFile(path: folder.path + "/x")
    let header = file.header
    for name in ["w", "h", "b"] {
      let floats = Floats(3)
      try file.read(#require(header.tensor(name)), into: floats, at: 1)
      #expect(floats.array == [0, 1, -2], "\(name)")
    }
    let integers = try #require(header.tensor("i"))
    do {
      try file.read(integers, into: Floats(1))
      Issue.record("integers were read as weights")
    } catch let error as SafetensorsError {
      #expect(error.description.hasPrefix("tensor i: is I32"))
    }
  }

  @Test("a number that is not finite is found wherever it stands")
  func numbersThatAreNotFinite() {
    for count in 0..<40 {
      let floats = Floats(count)
      #expect(forge_all_finite(count, floats.start) == 1)
      for index in 0..<count {
        for bad in [Float.nan, .infinity, -.infinity] {
          floats[index] = bad
          #expect(forge_all_finite(count, floats.start) == 0)
        }
        floats[index] = .greatestFiniteMagnitude
      }
      #expect(forge_all_finite(count, floats.start) == 1)
    }
  }
}
