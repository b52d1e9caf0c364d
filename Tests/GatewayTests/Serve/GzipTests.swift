import CZlib
import Testing

@testable import Gateway

/// The bytes that `packed`, in the gzip format, stands for; `nil` when it is not whole.
func gunzip(_ packed: [UInt8], capacity: Int = 1 << 22) -> [UInt8]? {
  var stream = z_stream()
  guard
    inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, CInt(MemoryLayout<z_stream>.size)) == Z_OK
  else { return nil }
  defer { inflateEnd(&stream) }
  var input = packed
  var output = [UInt8](repeating: 0, count: capacity)
  let (result, left) = input.withUnsafeMutableBufferPointer { input in
    output.withUnsafeMutableBufferPointer { output in
      stream.next_in = input.baseAddress
      stream.avail_in = UInt32(input.count)
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(output.count)
      return (inflate(&stream, Z_FINISH), Int(stream.avail_out))
    }
  }
  guard result == Z_STREAM_END, stream.avail_in == 0 else { return nil }
  return Array(output[..<(capacity - left)])
}

@Suite("Compression, RFC 1952")
struct GzipTests {
  private func compress(_ gzip: Gzip, _ body: [UInt8]) -> [UInt8]? {
    var output: [UInt8] = []
    let isDone = body.withUnsafeBytes { gzip.compress($0, to: &output) }
    #expect(isDone || output.isEmpty)
    return isDone ? output : nil
  }

  @Test(arguments: [Gzip.plainBytes + 1, 4_096, 65_536, 1_000_000])
  func `comes back as it was, and is smaller`(_ count: Int) throws {
    let gzip = try #require(Gzip())
    let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 16) }
    let packed = try #require(compress(gzip, body))
    #expect(packed.count < body.count)
    #expect(packed.starts(with: [0x1F, 0x8B, 8]))
    #expect(gunzip(packed) == body)
  }

  @Test func `one compressor serves many bodies`() throws {
    let gzip = try #require(Gzip())
    for letter in UInt8(ascii: "a")...UInt8(ascii: "z") {
      let body = [UInt8](repeating: letter, count: 2_000 + Int(letter))
      #expect(gunzip(try #require(compress(gzip, body))) == body)
    }
  }

  @Test func `appends behind what is there`() throws {
    let gzip = try #require(Gzip())
    var output: [UInt8] = [1, 2, 3]
    let body = [UInt8](repeating: 7, count: 1_000)
    #expect(body.withUnsafeBytes { gzip.compress($0, to: &output) })
    #expect(output.starts(with: [1, 2, 3]))
    #expect(gunzip(Array(output.dropFirst(3))) == body)
  }

  @Test func `leaves alone what does not become smaller`() throws {
    let gzip = try #require(Gzip())
    var generator = SystemRandomNumberGenerator()
    #expect(compress(gzip, []) == nil)
    #expect(compress(gzip, [1]) == nil)
    #expect(
      compress(gzip, (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &generator) }) == nil
    )
    // And the next body is compressed as ever.
    let body = [UInt8](repeating: 7, count: 1_000)
    #expect(gunzip(try #require(compress(gzip, body))) == body)
  }

  @Test func `no compressor of a level that zlib does not have`() {
    #expect(Gzip(level: 99) == nil)
  }
}
