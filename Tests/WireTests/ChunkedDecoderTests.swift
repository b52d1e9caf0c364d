import Testing
import Wire

@Suite("Chunked bodies, RFC 9112 §7.1")
struct ChunkedDecoderTests {
  /// Decodes `text`, passed in pieces cut at `cuts`; also says how many bytes were used.
  static func decode(
    _ text: String,
    cuts: [Int] = []
  ) throws -> (body: String, ended: Bool, used: Int) {
    let bytes = Array(text.utf8)
    var decoder = ChunkedDecoder()
    var body: [UInt8] = []
    var used = 0
    var ended = false
    for (start, end) in zip([0] + cuts, cuts + [bytes.count]) {
      try withGuardedBytes(Array(bytes[start..<end])) { piece in
        var offset = 0
        loop: while true {
          switch try decoder.next(piece, from: &offset) {
          case .needMore: break loop
          case .data(let range): for index in range { body.append(piece[index]) }
          case .end:
            ended = true
            break loop
          }
        }
        used += offset
      }
    }
    return (String(decoding: body, as: UTF8.self), ended, used)
  }

  static let whole =
    "5\r\nHello\r\n1;a=b; c=\"d\"\r\n,\r\n00D\r\n wonderful wo\r\n4\r\nrld!\r\n"
    + "0;last\r\nTrailer: x\r\nOther:\r\n\r\n"

  @Test func `reads chunks cut at every two places`() throws {
    let count = Self.whole.utf8.count
    for first in 0...count {
      for second in first...count {
        let result = try Self.decode(Self.whole + "GET", cuts: [first, second])
        #expect(result.body == "Hello, wonderful world!")
        #expect(result.ended)
        #expect(result.used == count)
      }
    }
  }

  @Test func `is not at the end at any cut`() throws {
    for count in 0..<Self.whole.utf8.count {
      let result = try Self.decode(
        String(decoding: Array(Self.whole.utf8).prefix(count), as: UTF8.self)
      )
      #expect(!result.ended)
    }
  }

  @Test(arguments: [
    ("\r\n", ChunkError.invalidSize), ("x\r\n", .invalidSize), ("-1\r\n", .invalidSize),
    ("0x5\r\n", .invalidSize), (" 5\r\n", .invalidSize), ("5 \r\n", .invalidSize),
    ("5\n", .invalidSize), (";a\r\n", .invalidSize), ("5\r\r", .missingLineEnd),
    ("8000000000000000\r\n", .sizeTooLarge), ("00000000000000001\r\n", .sizeTooLarge),
    ("5;a\n", .invalidExtension), ("5;a\u{0}", .invalidExtension), ("5;é", .invalidExtension),
    ("1\r\naX", .missingLineEnd), ("1\r\na\n", .missingLineEnd), ("1\r\na\rX", .missingLineEnd),
    ("0\r\n a", .invalidTrailer), ("0\r\n: a", .invalidTrailer), ("0\r\na b", .invalidTrailer),
    ("0\r\na: \u{1}", .invalidTrailer), ("0\r\na: b\n", .invalidTrailer),
    ("0\r\na: b\rX", .missingLineEnd), ("0\r\n\rX", .missingLineEnd), ("0\r\n\n", .invalidTrailer),
  ])
  func `refuses what could be read in two ways`(_ text: String, _ error: ChunkError) {
    #expect(throws: error) { try Self.decode(text) }
    #expect(error.status == 400)
    #expect(error.message.hasSuffix("."))
  }

  @Test func `the largest size fits`() throws {
    #expect(try Self.decode("7FFFFFFFFFFFFFFF\r\nabc").body == "abc")
  }

  @Test func `extensions and trailers have their limits`() throws {
    let half = String(repeating: "e", count: ChunkedDecoder.maxExtensionBytes / 2 - 1)
    let two = "1;\(half)\r\na\r\n1;\(half)\r\nb\r\n"
    #expect(try Self.decode(two + "0\r\n\r\n").body == "ab")
    #expect(throws: ChunkError.extensionsTooLong(limit: 4096)) { try Self.decode(two + "0;\r\n") }

    let trailer = "a:" + String(repeating: "b", count: ChunkedDecoder.maxTrailerBytes - 6)
    #expect(try Self.decode("0\r\n\(trailer)\r\n\r\n").ended)
    let error = ChunkError.trailersTooLong(limit: 8192)
    #expect(throws: error) { try Self.decode("0\r\nb\(trailer)\r\n\r\n") }
    #expect(error.status == 431)
  }

  @Test(arguments: [1, 15, 16, 255, 256, 4095, 65536, Int.max])
  func `writes a size that is read back`(_ size: Int) throws {
    var output: [UInt8] = []
    Chunk.writeHeader(size, to: &output)
    #expect(String(decoding: output, as: UTF8.self) == String(size, radix: 16) + "\r\n")
  }

  @Test func `what the writer frames, the decoder reads`() throws {
    var output: [UInt8] = []
    Chunk.writeHeader(5, to: &output)
    output.append(contentsOf: "Hello\(Chunk.lineEnd)\(Chunk.last)".utf8)
    let result = try Self.decode(String(decoding: output, as: UTF8.self))
    #expect(result.body == "Hello")
    #expect(result.ended)
  }
}
