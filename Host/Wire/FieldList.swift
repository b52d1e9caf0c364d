/// Steps through the elements of a comma-separated field value (RFC 9110 §5.6.1).
///
/// Elements come without white space at their ends; empty ones are passed over. Quoted strings are
/// not understood: use it only for lists of tokens.
package struct FieldList {
  private var index: Int
  private let end: Int

  /// Starts at the front of the field value `range`.
  package init(_ range: Range<Int>) {
    index = range.lowerBound
    end = range.upperBound
  }

  /// The next element, or `nil` after the last.
  package mutating func next(_ bytes: Span<UInt8>) -> Range<Int>? {
    while index < end {
      let start = index
      while index < end, bytes[index] != UInt8(ascii: ",") { index += 1 }
      let element = ASCII.trimmed(bytes, start..<index)
      index += 1
      if !element.isEmpty { return element }
    }
    return nil
  }
}
