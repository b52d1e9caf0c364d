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
    for parameter in try query() {
      let name = parameter.name
      if members.contains(where: { $0.name == name }) {
        repeated.append(FieldError(field: name, reason: "is given more than once in the query"))
      } else {
        members.append(.init(name: name, value: .string(parameter.value)))
      }
    }
    var fields = Fields(.object(members), path: "", isText: true)
    let value = read(&fields)
    let errors = repeated + fields.collected(unknown)
    if !errors.isEmpty { throw .validation(errors) }
    return value
  }

  /// Names and values of the query in order, decoded; `+` is a space.
  ///
  /// - Returns: At most 256; a name may stand more than once.
  /// - Throws: 422 `VALIDATION_ERROR` when an escape is broken, or there are more.
  public func query() throws(Failure) -> [QueryString.Parameter] {
    do throws(QueryError) {
      return try QueryString.parse(Array(rawQuery.utf8).span).parameters
    } catch {
      throw .validation([FieldError(field: "query", reason: error.message)])
    }
  }

  /// The first value of a name of the query, decoded.
  ///
  /// - Parameter name: As sent, decoded.
  /// - Returns: The value; `nil` when absent.
  /// - Throws: 422 `VALIDATION_ERROR` when the query cannot be read.
  public func query(_ name: String) throws(Failure) -> String? {
    try query().first { $0.name == name }?.value
  }
}
