/// The members of a JSON object or the names of a query, read so that every error is collected.
///
/// A getter that finds an error notes it and returns a stand-in; whatever reads through `Fields`
/// (`Request.validate`, `Settings.read`) then throws all errors together, so that a stand-in is
/// never used. Lengths of text are in code points.
public struct Fields {
  /// What becomes of a name that no getter asked for.
  public enum Unknown: Sendable {
    /// It is an error.
    case refused
    /// It is passed over.
    case ignored
  }

  private let members: [JSON.Member]
  private let path: String
  private let isText: Bool
  private var asked: Set<String> = []
  private var errors: [FieldError] = []
  /// The fields of `errors`: a list may have thousands that are wrong.
  private var refused: Set<String> = []

  /// Reads `json`, which must be an object.
  public init(_ json: JSON) { self.init(json, path: "", isText: false) }

  // A query has only text: numbers and truth values are read from it.
  init(_ json: JSON, path: String, isText: Bool) {
    self.path = path
    self.isText = isText
    if let members = json.asMembers {
      self.members = members
    } else {
      members = []
      add([FieldError(field: path, reason: "must be a JSON object")])
    }
  }

  /// Notes an error of the author's own; a field that has one keeps it, so that none is named twice.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - reason: What is wrong, and what is wanted.
  ///   - allowed: The values that are allowed.
  public mutating func refuse(_ name: String, _ reason: String, allowed: [String] = []) {
    let field = full(name)
    guard refused.insert(field).inserted else { return }
    errors.append(FieldError(field: field, reason: reason, allowed: allowed))
  }

  /// The member as it is, if it is there and not `null`.
  public mutating func json(_ name: String) -> JSON? {
    asked.insert(name)
    guard let value = members.first(where: { $0.name == name })?.value, value != .null else {
      return nil
    }
    return value
  }

  /// Every error noted so far and, by `unknown`, each name that no getter asked for.
  func collected(_ unknown: Unknown) -> [FieldError] {
    guard unknown == .refused else { return errors }
    let known = asked.sorted()
    return errors
      + members.filter { !asked.contains($0.name) }.map {
        FieldError(field: full($0.name), reason: "is not known here", allowed: known)
      }
  }

  /// Ends the reading.
  ///
  /// - Parameter unknown: What becomes of names that no getter asked for.
  /// - Throws: 422 with every error.
  public func finish(unknown: Unknown = .refused) throws(Failure) {
    let errors = collected(unknown)
    if !errors.isEmpty { throw .validation(errors) }
  }

  private func full(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Takes over the errors of a part.
  private mutating func adopt(_ part: Fields) { add(part.collected(.refused)) }

  private mutating func add(_ more: [FieldError]) {
    errors += more
    for error in more { refused.insert(error.field) }
  }

  private mutating func required<Value>(_ name: String, _ value: Value?, _ standIn: Value) -> Value
  {
    if let value { return value }
    if json(name) == nil { refuse(name, "is required") }
    return standIn
  }
}

// MARK: - Text, numbers, truth

extension Fields {
  /// Text, or `nil` when absent.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - length: In code points.
  /// - Returns: The text; `nil` when absent or refused.
  public mutating func optionalString(
    _ name: String,
    _ length: ClosedRange<Int> = 0...65_536
  ) -> String? {
    guard let value = json(name) else { return nil }
    let wanted = "must be text of \(length.lowerBound) to \(length.upperBound) characters"
    guard let text = value.asString else {
      refuse(name, wanted)
      return nil
    }
    let count = text.unicodeScalars.count
    guard length.contains(count) else {
      refuse(name, "\(wanted), not \(count)")
      return nil
    }
    return text
  }

  /// Text.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - length: In code points.
  ///   - default: What it is when absent; without it, absence is an error.
  /// - Returns: The text.
  public mutating func string(
    _ name: String,
    _ length: ClosedRange<Int> = 0...65_536,
    default: String? = nil
  ) -> String {
    let value = optionalString(name, length)
    return required(name, value ?? (json(name) == nil ? `default` : nil), "")
  }

  /// A whole number, or `nil` when absent.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - range: What it may be.
  /// - Returns: The number; `nil` when absent or refused.
  public mutating func optionalInteger(
    _ name: String,
    _ range: ClosedRange<Int> = Int.min...Int.max
  ) -> Int? {
    guard let value = json(name) else { return nil }
    let wanted = "must be a whole number of \(range.lowerBound) to \(range.upperBound)"
    let read = isText ? value.asString.flatMap { Int($0) } : value.asInteger.map { Int($0) }
    guard let number = read else {
      refuse(name, wanted)
      return nil
    }
    guard range.contains(number) else {
      refuse(name, "\(wanted), not \(number)")
      return nil
    }
    return number
  }

  /// A whole number.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - range: What it may be.
  ///   - default: What it is when absent; without it, absence is an error.
  /// - Returns: The number.
  public mutating func integer(
    _ name: String,
    _ range: ClosedRange<Int> = Int.min...Int.max,
    default: Int? = nil
  ) -> Int {
    let value = optionalInteger(name, range)
    return required(name, value ?? (json(name) == nil ? `default` : nil), range.lowerBound)
  }

  /// A number, or `nil` when absent.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - range: What it may be.
  /// - Returns: The number; `nil` when absent or refused.
  public mutating func optionalNumber(_ name: String, _ range: ClosedRange<Double>) -> Double? {
    guard let value = json(name) else { return nil }
    let read = isText ? value.asString.flatMap { Double($0) } : value.asNumber
    guard let number = read, range.contains(number) else {
      refuse(name, "must be a number of \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A number.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - range: What it may be.
  ///   - default: What it is when absent; without it, absence is an error.
  /// - Returns: The number.
  public mutating func number(
    _ name: String,
    _ range: ClosedRange<Double>,
    default: Double? = nil
  ) -> Double {
    let value = optionalNumber(name, range)
    return required(name, value ?? (json(name) == nil ? `default` : nil), range.lowerBound)
  }

  /// True or false, or `nil` when absent.
  public mutating func optionalBool(_ name: String) -> Bool? {
    guard let value = json(name) else { return nil }
    let read = isText ? value.asString.flatMap { Bool($0) } : value.asBool
    if read == nil { refuse(name, "must be true or false") }
    return read
  }

  /// True or false.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - default: What it is when absent; without it, absence is an error.
  /// - Returns: The value.
  public mutating func bool(_ name: String, default: Bool? = nil) -> Bool {
    let value = optionalBool(name)
    return required(name, value ?? (json(name) == nil ? `default` : nil), false)
  }

  /// One of `allowed`.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - allowed: The values there are.
  ///   - default: What it is when absent; without it, absence is an error.
  /// - Returns: The value.
  public mutating func choice(
    _ name: String,
    _ allowed: [String],
    default: String? = nil
  ) -> String {
    guard let value = json(name) else { return required(name, `default`, "") }
    guard let text = value.asString, allowed.contains(text) else {
      refuse(name, "must be one of \(allowed.joined(separator: ", "))", allowed: allowed)
      return ""
    }
    return text
  }
}

// MARK: - Objects and lists

extension Fields {
  /// An object, or `nil` when absent.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - read: Reads its members; names it does not ask for are errors.
  /// - Returns: What `read` made; `nil` when absent.
  public mutating func optionalObject<Value>(
    _ name: String,
    _ read: (inout Fields) -> Value
  ) -> Value? {
    guard let value = json(name) else { return nil }
    var part = Fields(value, path: full(name), isText: isText)
    guard value.asMembers != nil else {
      add(part.errors)
      return nil
    }
    let result = read(&part)
    adopt(part)
    return result
  }

  /// An object; absence is an error, and read as an empty object.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - read: Reads its members; names it does not ask for are errors.
  /// - Returns: What `read` made.
  public mutating func object<Value>(_ name: String, _ read: (inout Fields) -> Value) -> Value {
    if let value = optionalObject(name, read) { return value }
    if json(name) == nil { refuse(name, "is required") }
    var nothing = Fields(.object([]))
    return read(&nothing)
  }

  /// A list of texts; absent is empty, which `count` may refuse.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - count: How many there may be.
  ///   - length: Of each, in code points.
  /// - Returns: The texts.
  public mutating func strings(
    _ name: String,
    _ count: ClosedRange<Int>,
    length: ClosedRange<Int> = 0...65_536
  ) -> [String] {
    list(name, count).enumerated().map { index, value in
      guard let text = value.asString, length.contains(text.unicodeScalars.count) else {
        refuse(
          "\(name)[\(index)]",
          "must be text of \(length.lowerBound) to \(length.upperBound) characters"
        )
        return ""
      }
      return text
    }
  }

  /// A list of objects; absent is empty, which `count` may refuse.
  ///
  /// - Parameters:
  ///   - name: The member.
  ///   - count: How many there may be.
  ///   - read: Reads the members of one.
  /// - Returns: What `read` made of each.
  public mutating func objects<Value>(
    _ name: String,
    _ count: ClosedRange<Int>,
    _ read: (inout Fields) -> Value
  ) -> [Value] {
    list(name, count).enumerated().map { index, value in
      var part = Fields(value, path: full("\(name)[\(index)]"), isText: isText)
      let result = read(&part)
      adopt(part)
      return result
    }
  }

  private mutating func list(_ name: String, _ count: ClosedRange<Int>) -> [JSON] {
    let value = json(name)
    let values = value == nil ? [] : value?.asArray
    guard let values, count.contains(values.count) else {
      refuse(name, "must be a list of \(count.lowerBound) to \(count.upperBound) values")
      return []
    }
    return values
  }
}
