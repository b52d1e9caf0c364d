import CForge

/// Symbols in as few bytes as their frequencies allow: rANS (Duda 2013) with frequencies that are stored beside them,
/// or plain bits where that is shorter.
package enum EntropyCoder {
  private enum Form: UInt8 {
    case bits
    case rans
  }

  private static let whole = 1 << FORGE_RANS_BITS

  /// Encodes symbols.
  ///
  /// - Parameters:
  ///   - symbols: Below `alphabet`.
  ///   - alphabet: 1...256.
  /// - Returns: The bytes.
  package static func encode(_ symbols: [UInt8], alphabet: Int) -> [UInt8] {
    let bits = [Form.bits.rawValue] + pack(symbols, width: width(alphabet))
    guard !symbols.isEmpty else { return bits }
    let frequencies = frequencies(symbols, alphabet)
    let room = 2 * symbols.count + 4
    var length = 0
    let buffer = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, filled in
      guard let start = buffer.baseAddress else { return }
      unsafe start.initialize(repeating: 0, count: room)
      length = unsafe forge_rans_encode(symbols.count, symbols, frequencies, room, start)
      filled = room
    }
    var rans = [Form.rans.rawValue]
    for frequency in frequencies.prefix(alphabet) {
      // 7 bits a byte, the lowest first; the highest bit says that more follow.
      if frequency < 128 {
        rans.append(UInt8(frequency))
      } else {
        rans += [UInt8(frequency & 127) | 128, UInt8(frequency >> 7)]
      }
    }
    rans.append(number: UInt32(length))
    rans += buffer.suffix(length)
    return rans.count < bits.count ? rans : bits
  }

  /// Decodes symbols.
  ///
  /// - Parameters:
  ///   - count: Of symbols.
  ///   - alphabet: As encoded.
  ///   - reader: Stands at their first byte; afterwards behind their last.
  ///   - what: Named in faults.
  /// - Returns: The symbols, all below `alphabet`.
  /// - Throws: `PayloadFault` for bytes that `encode` does not write.
  package static func decode(
    _ count: Int,
    alphabet: Int,
    _ reader: inout PayloadReader,
    _ what: String
  ) throws(PayloadFault) -> [UInt8] {
    switch Form(rawValue: try reader.integer(UInt8.self, what)) {
    case .bits: try unpack(count, alphabet, &reader, what)
    case .rans: try decodeRANS(count, alphabet, &reader, what)
    case nil: throw PayloadFault("The packed weights have an unknown code for \(what).")
    }
  }

  private static func decodeRANS(
    _ count: Int,
    _ alphabet: Int,
    _ reader: inout PayloadReader,
    _ what: String
  ) throws(PayloadFault) -> [UInt8] {
    var frequencies = [UInt16](repeating: 0, count: 256)
    for symbol in 0..<alphabet {
      let low = try reader.integer(UInt8.self, what)
      let high = low < 128 ? 0 : try reader.integer(UInt8.self, what)
      frequencies[symbol] = UInt16(low & 127) | UInt16(high) << 7
    }
    let length = Int(try reader.integer(UInt32.self, what))
    let bytes = try reader.take(length, what)
    var symbols = [UInt8](repeating: 0, count: count)
    guard unsafe forge_rans_decode(count, frequencies, length, bytes, &symbols) == 0 else {
      throw PayloadFault("The packed weights have bytes that are not \(count) symbols of \(what).")
    }
    return symbols
  }

  /// Frequencies of all 256 symbols that sum to 4,096, at least 1 for each that occurs.
  private static func frequencies(_ symbols: [UInt8], _ alphabet: Int) -> [UInt16] {
    var counts = [Int](repeating: 0, count: 256)
    for symbol in symbols { counts[Int(symbol)] += 1 }
    precondition(counts[alphabet...].allSatisfy { $0 == 0 }, "a symbol above \(alphabet - 1)")
    var scaled = counts.map { $0 == 0 ? 0 : max($0 * whole / symbols.count, 1) }
    // What rounding left over goes to or comes from the most frequent, where it costs least.
    var rest = whole - scaled.reduce(0, +)
    while rest != 0 {
      guard let most = scaled.indices.max(by: { scaled[$0] < scaled[$1] }) else { break }
      let change = rest > 0 ? rest : max(rest, -(scaled[most] / 2))
      scaled[most] += change
      rest -= change
    }
    return scaled.map(UInt16.init)
  }

  /// Bits of a symbol.
  private static func width(_ alphabet: Int) -> Int {
    precondition((1...256).contains(alphabet))
    return Int.bitWidth - (alphabet - 1).leadingZeroBitCount
  }

  private static func pack(_ symbols: [UInt8], width: Int) -> [UInt8] {
    packBits(symbols.map(UInt16.init), width: width)
  }

  private static func unpack(
    _ count: Int,
    _ alphabet: Int,
    _ reader: inout PayloadReader,
    _ what: String
  ) throws(PayloadFault) -> [UInt8] {
    let numbers = try unpackBits(count, width: width(alphabet), &reader, what)
    guard numbers.allSatisfy({ $0 < alphabet }) else {
      throw PayloadFault("The packed weights have a symbol above \(alphabet - 1) in \(what).")
    }
    return numbers.map { UInt8($0) }
  }

  /// Numbers of `width` bits one after another, the lowest bit first; the last byte is filled up with 0.
  ///
  /// - Parameters:
  ///   - numbers: Below 2^width.
  ///   - width: 0...16.
  /// - Returns: The bytes.
  package static func packBits(_ numbers: [UInt16], width: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity((numbers.count * width + 7) / 8)
    var (held, bits): (UInt32, Int) = (0, 0)
    for number in numbers {
      held |= UInt32(number) << bits
      bits += width
      while bits >= 8 {
        bytes.append(UInt8(truncatingIfNeeded: held))
        held >>= 8
        bits -= 8
      }
    }
    if bits > 0 { bytes.append(UInt8(truncatingIfNeeded: held)) }
    return bytes
  }

  /// Reads what `packBits` wrote.
  ///
  /// - Parameters:
  ///   - count: Of numbers.
  ///   - width: As packed.
  ///   - reader: Stands at their first byte.
  ///   - what: Named in faults.
  /// - Returns: The numbers.
  /// - Throws: `PayloadFault` when bytes are missing, or the last is not filled up with 0.
  package static func unpackBits(
    _ count: Int,
    width: Int,
    _ reader: inout PayloadReader,
    _ what: String
  ) throws(PayloadFault) -> [UInt16] {
    let bytes = try reader.take((count * width + 7) / 8, what)
    var numbers: [UInt16] = []
    numbers.reserveCapacity(count)
    var (held, bits, next): (UInt32, Int, Int) = (0, 0, 0)
    for _ in 0..<count {
      while bits < width {
        held |= UInt32(bytes[next]) << bits
        next += 1
        bits += 8
      }
      numbers.append(UInt16(truncatingIfNeeded: held & (1 << width - 1)))
      held >>= width
      bits -= width
    }
    guard held == 0 else {
      throw PayloadFault("The packed weights have bits behind the end of \(what).")
    }
    return numbers
  }
}
