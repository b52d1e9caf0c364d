/// One JSON value (RFC 8259).
///
/// Objects keep the order of their members. Numbers without fraction and exponent that fit 64 bits
/// are `integer`, all others `number`.
public enum JSON: Sendable, Equatable {
  /// The literal `null`.
  case null
  /// The literal `true` or `false`.
  case bool(Bool)
  /// A number without fraction and exponent.
  case integer(Int64)
  /// Any other number; written as `null` when it is not finite, since JSON has no such number.
  case number(Double)
  /// A text.
  case string(String)
  /// Values in order.
  case array([JSON])
  /// Members in the order they were written; names do not repeat in anything that was parsed.
  case object([Member])

  /// One name and its value in an object.
  public struct Member: Sendable, Equatable {
    /// The name, unescaped.
    public var name: String
    /// What the name stands for.
    public var value: JSON

    /// Makes a member.
    public init(name: String, value: JSON) {
      self.name = name
      self.value = value
    }
  }

  /// The value of the member `name`, or `nil` when there is none or this is not an object.
  public subscript(_ name: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text, or `nil` when this is not a string.
  public var asString: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  /// The whole number, or `nil` when this is no number or not a whole one of 64 bits.
  ///
  /// `1.0` and `1e2` are whole numbers too.
  public var asInteger: Int64? {
    switch self {
    case .integer(let value): value
    case .number(let value): Self.whole(value)
    default: nil
    }
  }

  /// Not `Int64(exactly:)`, which calls the C mathematics library; this module links nothing.
  private static func whole(_ value: Double) -> Int64? {
    guard value >= -0x1p63, value < 0x1p63 else { return nil }
    let integer = Int64(value)
    return Double(integer) == value ? integer : nil
  }

  /// The number, or `nil` when this is none.
  ///
  /// Integers beyond 2^53 are rounded.
  public var asNumber: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The truth value, or `nil` when this is none; numbers and texts do not count as one.
  public var asBool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }

  /// The values of an array, or `nil` when this is none.
  public var asArray: [JSON]? {
    guard case .array(let values) = self else { return nil }
    return values
  }

  /// The members of an object, or `nil` when this is none.
  public var asMembers: [Member]? {
    guard case .object(let members) = self else { return nil }
    return members
  }
}

extension JSON: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  /// Makes `null`.
  public init(nilLiteral: ()) { self = .null }
  /// Makes a truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// Makes an integer.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// Makes a number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// Makes a string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// Makes an array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// Makes an object whose members keep the order of the literal.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    self = .object(elements.map { Member(name: $0.0, value: $0.1) })
  }
}
