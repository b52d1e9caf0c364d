import Glibc

/// Why an expression has no value.
package struct CalculatorError: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// The value of an expression of numbers, `+ - * /` and parentheses; `x` also multiplies.
package enum Calculator {
  /// The most bytes of an expression.
  package static let longest = 1000
  /// The deepest nesting of parentheses and signs.
  package static let deepest = 50

  /// Evaluates.
  ///
  /// - Parameter expression: Like `2 * (3 + 4.5)`.
  /// - Returns: Its value, finite.
  /// - Throws: `CalculatorError` that names the place, or division by zero.
  package static func value(of expression: String) throws(CalculatorError) -> Double {
    let bytes = Array(expression.utf8)
    guard bytes.count <= longest else {
      throw CalculatorError("the expression has \(bytes.count) bytes and may have \(longest)")
    }
    var reader = ExpressionReader(bytes: bytes)
    let value = try reader.sum(depth: 0)
    try reader.end()
    return value
  }

  /// The value as text: whole numbers without a point, others to six places at most.
  ///
  /// - Parameter expression: As for `value`.
  /// - Returns: Like `21` or `0.333333`.
  /// - Throws: As `value`.
  package static func result(of expression: String) throws(CalculatorError) -> String {
    text(try value(of: expression))
  }

  /// A number as text, as `result` writes it.
  package static func text(_ value: Double) -> String {
    guard abs(value) < 1e9 else {
      return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }
    let millionths = Int64((value * 1e6).rounded())
    let (whole, part) = abs(millionths).quotientAndRemainder(dividingBy: 1_000_000)
    let sign = millionths < 0 ? "-" : ""
    if part == 0 { return "\(sign)\(whole)" }
    var digits = String(part)
    digits = String(repeating: "0", count: 6 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(sign)\(whole).\(digits)"
  }
}

/// Reads an expression from left to right.
private struct ExpressionReader {
  let bytes: [UInt8]
  private var offset = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func peek() -> UInt8? {
    while offset < bytes.count, bytes[offset] == 0x20 { offset += 1 }
    return offset < bytes.count ? bytes[offset] : nil
  }

  private mutating func take(_ characters: String) -> UInt8? {
    guard let byte = peek(), characters.utf8.contains(byte) else { return nil }
    offset += 1
    return byte
  }

  private mutating func failure(_ wanted: String) -> CalculatorError {
    guard let byte = peek() else {
      return CalculatorError("the expression ends where \(wanted) is wanted")
    }
    return CalculatorError("byte \(offset + 1) is \(byte) where \(wanted) is wanted")
  }

  mutating func end() throws(CalculatorError) {
    if peek() != nil { throw failure("an operator or the end") }
  }

  mutating func sum(depth: Int) throws(CalculatorError) -> Double {
    var value = try product(depth: depth)
    while let sign = take("+-") {
      let other = try product(depth: depth)
      value = try finite(sign == UInt8(ascii: "+") ? value + other : value - other)
    }
    return value
  }

  private mutating func product(depth: Int) throws(CalculatorError) -> Double {
    var value = try factor(depth: depth)
    while let sign = take("*x/") {
      let other = try factor(depth: depth)
      if sign == UInt8(ascii: "/"), other == 0 { throw CalculatorError("division by zero") }
      value = try finite(sign == UInt8(ascii: "/") ? value / other : value * other)
    }
    return value
  }

  private mutating func factor(depth: Int) throws(CalculatorError) -> Double {
    guard depth < Calculator.deepest else {
      throw CalculatorError("the expression is nested deeper than \(Calculator.deepest)")
    }
    if take("-") != nil { return -(try factor(depth: depth + 1)) }
    guard take("(") != nil else { return try number() }
    let value = try sum(depth: depth + 1)
    guard take(")") != nil else { throw failure("a closing parenthesis") }
    return value
  }

  private mutating func number() throws(CalculatorError) -> Double {
    guard let first = peek(), Self.isDigit(first) else { throw failure("a number") }
    let start = offset
    digits()
    if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
      offset += 1
      guard offset < bytes.count, Self.isDigit(bytes[offset]) else { throw failure("a digit") }
      digits()
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    guard let value = Double(text) else { throw failure("a number") }
    return try finite(value)
  }

  private mutating func digits() {
    while offset < bytes.count, Self.isDigit(bytes[offset]) { offset += 1 }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  private func finite(_ value: Double) throws(CalculatorError) -> Double {
    guard value.isFinite else { throw CalculatorError("the value is too large") }
    return value
  }
}
