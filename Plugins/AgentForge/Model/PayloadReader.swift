/// Why packed weights cannot be read; a sentence.
package struct PayloadFault: Error, Equatable, CustomStringConvertible {
  /// The sentence.
  package let description: String

  /// A fault explained by `sentence`.
  package init(_ sentence: String) { description = sentence }
}

/// Reads packed weights from their first byte to their last; a file may hold anything.
package struct PayloadReader {
  private let bytes: [UInt8]
  private var position = 0

  /// A reader of `bytes`.
  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Bytes not yet read.
  package var left: Int { bytes.count - position }

  /// The next `count` bytes.
  ///
  /// - Parameters:
  ///   - count: 0 or more.
  ///   - what: Named in the fault.
  /// - Returns: The bytes.
  /// - Throws: When there are fewer.
  package mutating func take(_ count: Int, _ what: String) throws(PayloadFault) -> [UInt8] {
    guard count <= left else {
      throw PayloadFault(
        "The packed weights end within \(what): \(count - left) bytes are missing."
      )
    }
    defer { position += count }
    return Array(bytes[position..<(position + count)])
  }

  /// The next number, its lowest byte first.
  ///
  /// - Parameters:
  ///   - type: Of the number.
  ///   - what: Named in the fault.
  /// - Returns: The number.
  /// - Throws: When it is not all there.
  package mutating func integer<Number: FixedWidthInteger>(
    _ type: Number.Type,
    _ what: String
  ) throws(PayloadFault) -> Number {
    let bytes = try take(MemoryLayout<Number>.size, what)
    return bytes.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
  }

  /// The next byte, as a number of `range`.
  ///
  /// - Parameters:
  ///   - range: What is allowed.
  ///   - what: Named in the fault.
  /// - Returns: The number.
  /// - Throws: When it is not there or outside.
  package mutating func small(_ range: ClosedRange<Int>, _ what: String) throws(PayloadFault) -> Int
  {
    let value = Int(try integer(UInt8.self, what))
    guard range.contains(value) else {
      throw PayloadFault(
        "The packed weights have \(value) as \(what), which is \(range.lowerBound) to \(range.upperBound)."
      )
    }
    return value
  }

  /// The next float32, which is finite.
  ///
  /// - Parameter what: Named in the fault.
  /// - Returns: The number.
  /// - Throws: When it is not all there, or no finite number.
  package mutating func float(_ what: String) throws(PayloadFault) -> Float {
    let value = Float(bitPattern: try integer(UInt32.self, what))
    guard value.isFinite else { throw PayloadFault("The packed weights have \(value) as \(what).") }
    return value
  }

  /// Ends the reading.
  ///
  /// - Throws: When bytes are left.
  package func finish() throws(PayloadFault) {
    guard left == 0 else { throw PayloadFault("The packed weights have \(left) bytes too many.") }
  }
}

extension [UInt8] {
  /// Adds a number, its lowest byte first.
  package mutating func append<Number: FixedWidthInteger>(number: Number) {
    for byte in 0..<MemoryLayout<Number>.size {
      append(UInt8(truncatingIfNeeded: number >> (8 * byte)))
    }
  }

  /// Adds a float32, its lowest byte first.
  package mutating func append(float: Float) { append(number: float.bitPattern) }
}
