/// A query the peer was not allowed to send.
public enum QueryError: Error, Equatable, Sendable {
  /// A `%` lacks two hexadecimal digits.
  case malformedPercent
  /// A name or a value is not UTF-8 once decoded.
  case notUTF8
  /// There are more parameters than allowed.
  case tooManyParameters(limit: Int)

  /// What was wrong and how to send it right.
  public var message: String {
    switch self {
    case .malformedPercent: "A '%' in the query lacks two hexadecimal digits; write it as %25."
    case .notUTF8: "The query is not UTF-8 once decoded; encode it as UTF-8."
    case .tooManyParameters(let limit): "The query has more than \(limit) parameters; send fewer."
    }
  }
}

/// The parameters of a query or of a form, such as `mode=fast&tag=a&tag=b`.
public struct QueryString: Sendable, Equatable {
  /// One name and its value.
  public struct Parameter: Sendable, Equatable {
    /// The name, decoded.
    public let name: String
    /// The value, decoded; empty when there was no `=`.
    public let value: String

    /// Makes a parameter.
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// The parameters in the order they were sent; names may repeat.
  public let parameters: [Parameter]

  /// Reads the text after the `?`.
  ///
  /// `+` and `%20` stand for a space; empty pieces, as in `a=1&&b=2`, are passed over.
  ///
  /// - Parameters:
  ///   - bytes: The query, as sent.
  ///   - maxParameters: How many parameters to accept.
  /// - Returns: The parameters.
  /// - Throws: `QueryError` for the first parameter that is refused.
  public static func parse(
    _ bytes: Span<UInt8>,
    maxParameters: Int = 256
  ) throws(QueryError) -> QueryString {
    var parameters: [Parameter] = []
    var index = 0
    while index < bytes.count {
      let start = index
      var equals = -1
      while index < bytes.count, bytes[index] != UInt8(ascii: "&") {
        if bytes[index] == UInt8(ascii: "="), equals < 0 { equals = index }
        index += 1
      }
      if index > start {
        guard parameters.count < maxParameters else {
          throw .tooManyParameters(limit: maxParameters)
        }
        let nameEnd = equals < 0 ? index : equals
        let valueStart = equals < 0 ? index : equals + 1
        let name = try text(bytes, start..<nameEnd)
        parameters.append(Parameter(name: name, value: try text(bytes, valueStart..<index)))
      }
      index += 1
    }
    return QueryString(parameters: parameters)
  }

  /// The value of the first parameter `name`, or `nil` when there is none.
  public subscript(_ name: String) -> String? {
    parameters.first { $0.name == name }?.value
  }

  /// The values of every parameter `name`, in order.
  public func all(_ name: String) -> [String] {
    parameters.filter { $0.name == name }.map(\.value)
  }

  private static func text(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>
  ) throws(QueryError) -> String {
    guard let decoded = PercentCoding.decode(bytes, range, plusIsSpace: true) else {
      throw .malformedPercent
    }
    guard let text = ASCII.string(decoded.span, 0..<decoded.count) else { throw .notUTF8 }
    return text
  }
}
