/// Integers as decimal ASCII digits.
package enum Decimal {
  /// Appends the digits of `value`, with a minus sign when it is below zero.
  package static func write(_ value: Int, to output: inout [UInt8]) {
    if value < 0 { output.append(UInt8(ascii: "-")) }
    var rest = value.magnitude
    guard rest >= 10 else {
      output.append(UInt8(ascii: "0") + UInt8(rest))
      return
    }
    var digits = [20 of UInt8](repeating: 0)
    var start = 20
    while rest > 0 {
      start -= 1
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    for index in start..<20 { output.append(digits[index]) }
  }
}
