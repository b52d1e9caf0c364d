import CZlib
import PluginStorage

@testable import P2PFog

/// Archives for tests, header by header.
enum BundleBuilder {
  static let end = [UInt8](repeating: 0, count: 1024)

  /// A header with a right checksum.
  static func header(
    _ name: String,
    type: Character = "0",
    size: Int = 0,
    target: String = "",
    mode: String = "0000644",
    prefix: String = "",
    change: (inout [UInt8]) -> Void = { _ in }
  ) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    func octal(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 8)
      return String(repeating: "0", count: digits - text.count) + text
    }
    put(name, 0)
    put(mode, 100)
    put(octal(size, 11), 124)
    put(octal(0, 11), 136)
    header[156] = type.asciiValue ?? 0
    put(target, 157)
    put("ustar", 257)
    put("00", 263)
    put(prefix, 345)
    change(&header)
    put(octal(ArchiveReader.checksum(header), 6), 148)
    header[154] = 0
    header[155] = 32
    return header
  }

  static func padding(_ size: Int) -> [UInt8] {
    [UInt8](repeating: 0, count: (512 - size % 512) % 512)
  }

  static func file(_ name: String, _ content: String, mode: String = "0000644") -> [UInt8] {
    let bytes = Array(content.utf8)
    return header(name, size: bytes.count, mode: mode) + bytes + padding(bytes.count)
  }

  static func folder(_ name: String) -> [UInt8] { header(name, type: "5") }
  static func link(_ name: String, _ target: String) -> [UInt8] {
    header(name, type: "2", target: target)
  }
  static func same(_ name: String, _ target: String) -> [UInt8] {
    header(name, type: "1", target: target)
  }

  /// A pax header with one record, for the entry that follows.
  static func pax(_ key: String, _ value: String, type: Character = "x") -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count + 1
    while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
    let bytes = Array("\(length)\(rest)".utf8)
    return header("PaxHeaders/x", type: type, size: bytes.count) + bytes + padding(bytes.count)
  }

  /// The long name of the entry that follows, as GNU tar has it.
  static func long(_ name: String, type: Character = "L") -> [UInt8] {
    let bytes = Array(name.utf8) + [0]
    return header("././@LongLink", type: type, size: bytes.count) + bytes + padding(bytes.count)
  }

  static func archive(_ entries: [UInt8]...) -> [UInt8] { entries.flatMap(\.self) + end }

  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    precondition(zlib_gzip_begin(&stream, 9) == Z_OK)
    defer { deflateEnd(&stream) }
    var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 1024)
    var input = bytes
    let count = input.withUnsafeMutableBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(output.count)
        precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END)
        return output.count - Int(stream.avail_out)
      }
    }
    return Array(output[..<count])
  }

  static func sha256(_ bytes: [UInt8]) -> String {
    var digest = SHA256()
    digest.update(bytes.span)
    return digest.finish()
  }
}
