import Glibc
import Testing

@testable import AgentForge

@Suite("The entropy coder")
struct EntropyCoderTests {
  /// Symbols whose chances fall by `decay` from one to the next.
  private func symbols(_ count: Int, alphabet: Int, decay: Double) -> [UInt8] {
    var generator = Generator(seed: UInt64(count + alphabet))
    return (0..<count).map { _ in
      var symbol = 0
      while symbol < alphabet - 1, generator.uniform() < decay { symbol += 1 }
      return UInt8(symbol)
    }
  }

  private func decoded(_ bytes: [UInt8], _ count: Int, _ alphabet: Int) throws -> [UInt8] {
    var reader = PayloadReader(bytes)
    let symbols = try EntropyCoder.decode(count, alphabet: alphabet, &reader, "a test")
    try reader.finish()
    return symbols
  }

  @Test(
    "symbols come back",
    arguments: [(0, 4), (1, 1), (1, 256), (7, 2), (900, 1), (900, 3), (900, 256), (5000, 16)],
    [0.0, 0.4, 0.9, 1.0]
  )
  func symbolsComeBack(size: (count: Int, alphabet: Int), decay: Double) throws {
    let symbols = symbols(size.count, alphabet: size.alphabet, decay: decay)
    let bytes = EntropyCoder.encode(symbols, alphabet: size.alphabet)
    #expect(try decoded(bytes, size.count, size.alphabet) == symbols)
  }

  @Test("skewed symbols take little more than their entropy")
  func skewedSymbolsTakeTheirEntropy() {
    let symbols = symbols(20_000, alphabet: 16, decay: 0.3)
    var counts = [Double](repeating: 0, count: 16)
    for symbol in symbols { counts[Int(symbol)] += 1 }
    let entropy = counts.filter { $0 > 0 }.reduce(0) { $0 - $1 * log2($1 / 20_000) } / 8
    let size = Double(EntropyCoder.encode(symbols, alphabet: 16).count)
    #expect(size > entropy && size < 1.02 * entropy + 40)
  }

  @Test("symbols without a pattern take their plain bits and one byte more")
  func evenSymbolsTakePlainBits() {
    var generator = Generator(seed: 3)
    let symbols = (0..<1000).map { _ in UInt8(generator.below(16)) }
    #expect(EntropyCoder.encode(symbols, alphabet: 16).count == 501)
  }

  @Test("bytes that end anywhere, or go on, are refused", arguments: [0.3, 1.0])
  func cutBytesAreRefused(decay: Double) throws {
    let symbols = symbols(300, alphabet: 8, decay: decay)
    let bytes = EntropyCoder.encode(symbols, alphabet: 8)
    for end in 0..<bytes.count {
      #expect(throws: PayloadFault.self) { try decoded(Array(bytes[..<end]), 300, 8) }
    }
    #expect(throws: PayloadFault.self) { try decoded(bytes + [0], 300, 8) }
  }

  @Test("any changed byte is refused or gives symbols of the alphabet")
  func changedBytesGiveNothingElse() {
    let bytes = EntropyCoder.encode(symbols(300, alphabet: 5, decay: 0.4), alphabet: 5)
    var refused = 0
    for index in bytes.indices {
      for change in [1, 0x10, 0x80, 0xFF] as [UInt8] {
        var changed = bytes
        changed[index] ^= change
        do {
          #expect(try decoded(changed, 300, 5).allSatisfy { $0 < 5 })
        } catch { refused += 1 }
      }
    }
    #expect(refused > 0)
  }

  @Test("numbers of any width come back", arguments: [0, 1, 3, 8, 12, 16])
  func numbersComeBack(width: Int) throws {
    var generator = Generator(seed: 6)
    let numbers = (0..<37).map { _ in UInt16(generator.below(1 << width)) }
    let bytes = EntropyCoder.packBits(numbers, width: width)
    #expect(bytes.count == (37 * width + 7) / 8)
    var reader = PayloadReader(bytes)
    #expect(try EntropyCoder.unpackBits(37, width: width, &reader, "a test") == numbers)
    #expect(reader.left == 0)
  }
}
