extension Request {
  /// The body as JSON.
  ///
  /// - Returns: The value.
  /// - Throws: 422 `VALIDATION_ERROR` with line and column when it is not JSON.
  public func json() throws(Failure) -> JSON {
    do {
      return try withBody { bytes in try JSON.parse(bytes) }
    } catch let error as JSONError {
      let place = "line \(error.line), column \(error.column)"
      throw .validation([
        FieldError(field: "", reason: "is not valid JSON at \(place): \(error.reason)")
      ])
    } catch {
      throw .unexplained
    }
  }

  /// Reads the body, a JSON object, naming every bad field at once.
  ///
  /// - Parameters:
  ///   - unknown: What becomes of members that `read` does not ask for.
  ///   - read: Asks for each member.
  /// - Returns: What `read` made.
  /// - Throws: 422 `VALIDATION_ERROR` with every bad field in `details`.
  public func validate<Value>(
    unknown: Fields.Unknown = .refused,
    _ read: (inout Fields) -> Value
  ) throws(Failure) -> Value {
    var fields = Fields(try json())
    let value = read(&fields)
    try fields.finish(unknown: unknown)
    return value
  }

  /// Reads the query, naming every bad field at once.
  ///
  /// Numbers and truth values are read from text.
  ///
  /// - Parameters:
  ///   - unknown: What becomes of names that `read` does not ask for.
  ///   - read: Asks for each name.
  /// - Returns: What `read` made.
  /// - Throws: 422 `VALIDATION_ERROR` with every bad field in `details`.
  public func validateQuery<Value>(
    unknown: Fields.Unknown = .ignored,
    _ read: (inout Fields) -> Value
  ) throws(Failure) -> Value {
    var members: [JSON.Member] = []
    var repeated: [FieldError] = []
    for (name, value) in query {
      if members.contains(where: { $0.name == name }) {
        repeated.append(FieldError(field: name, reason: "is given more than once in the query"))
      } else {
        members.append(.init(name: name, value: .string(value)))
      }
    }
    var fields = Fields(.object(members), path: "", isText: true)
    let value = read(&fields)
    let errors = repeated + fields.collected(unknown)
    if !errors.isEmpty { throw .validation(errors) }
    return value
  }

  /// Names and values of the query in order, decoded; `+` is a space.
  public var query: [(name: String, value: String)] {
    rawQuery.utf8.split(separator: UInt8(ascii: "&")).map { item in
      let parts = item.split(
        separator: UInt8(ascii: "="),
        maxSplits: 1,
        omittingEmptySubsequences: false
      )
      let value = parts.count > 1 ? Self.decoded(parts[1]) : ""
      return (Self.decoded(parts[0]), value)
    }
  }

  /// The first value of a name of the query, decoded; `nil` when absent.
  public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

  private static func decoded(_ text: Substring.UTF8View) -> String {
    var bytes: [UInt8] = []
    var rest = text[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(2)
      if byte == UInt8(ascii: "%"), digits.count == 2,
        digits.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
        let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
