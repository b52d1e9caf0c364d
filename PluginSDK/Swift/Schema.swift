/// A JSON Schema, as an OpenAPI 3.1 document shows it.
public struct Schema: Sendable, Equatable {
  /// The schema itself.
  public let json: JSON

  /// A schema written by hand.
  public init(json: JSON) { self.json = json }

  private init(type: String, _ description: String, _ members: [JSON.Member] = []) {
    var all: [JSON.Member] = [.init(name: "type", value: .string(type))]
    if !description.isEmpty { all.append(.init(name: "description", value: .string(description))) }
    json = .object(all + members)
  }

  /// Text.
  ///
  /// - Parameters:
  ///   - description: What it means.
  ///   - length: In code points.
  ///   - format: Like `date-time`.
  ///   - pattern: A regular expression (ECMA-262) that it matches; without `^` and `$` a part of it does.
  ///   - allowed: The only values there are.
  /// - Returns: The schema.
  public static func string(
    _ description: String = "",
    _ length: ClosedRange<Int>? = nil,
    format: String = "",
    pattern: String = "",
    allowed: [String] = []
  ) -> Schema {
    var members: [JSON.Member] = []
    if let length { members += bounds("minLength", "maxLength", length) }
    if !format.isEmpty { members.append(.init(name: "format", value: .string(format))) }
    if !pattern.isEmpty { members.append(.init(name: "pattern", value: .string(pattern))) }
    if !allowed.isEmpty {
      members.append(.init(name: "enum", value: .array(allowed.map { .string($0) })))
    }
    return Schema(type: "string", description, members)
  }

  /// A whole number.
  ///
  /// - Parameters:
  ///   - description: What it means.
  ///   - range: What it may be.
  ///   - default: What it is when absent.
  /// - Returns: The schema.
  public static func integer(
    _ description: String = "",
    _ range: ClosedRange<Int>? = nil,
    default: Int? = nil
  ) -> Schema {
    var members: [JSON.Member] = []
    if let range { members += bounds("minimum", "maximum", range) }
    if let `default` {
      members.append(.init(name: "default", value: .integer(Int64(`default`))))
    }
    return Schema(type: "integer", description, members)
  }

  /// A number.
  ///
  /// - Parameters:
  ///   - description: What it means.
  ///   - range: What it may be.
  /// - Returns: The schema.
  public static func number(
    _ description: String = "",
    _ range: ClosedRange<Double>? = nil
  ) -> Schema {
    guard let range else { return Schema(type: "number", description) }
    return Schema(
      type: "number",
      description,
      [
        .init(name: "minimum", value: .number(range.lowerBound)),
        .init(name: "maximum", value: .number(range.upperBound)),
      ]
    )
  }

  /// True or false.
  public static func boolean(_ description: String = "") -> Schema {
    Schema(type: "boolean", description)
  }

  /// A list.
  ///
  /// - Parameters:
  ///   - items: What each element is.
  ///   - description: What the list means.
  ///   - count: How many there may be.
  /// - Returns: The schema.
  public static func array(
    _ items: Schema,
    _ description: String = "",
    _ count: ClosedRange<Int>? = nil
  ) -> Schema {
    var members: [JSON.Member] = [.init(name: "items", value: items.json)]
    if let count { members += bounds("minItems", "maxItems", count) }
    return Schema(type: "array", description, members)
  }

  /// An object.
  ///
  /// - Parameters:
  ///   - members: Name and schema of each member, in order.
  ///   - required: Names that must be there.
  ///   - unknown: What becomes of members of other names; `Request.validate` refuses them unless told otherwise.
  ///   - description: What the object means.
  /// - Returns: The schema.
  public static func object(
    _ members: KeyValuePairs<String, Schema>,
    required: [String] = [],
    unknown: Fields.Unknown = .ignored,
    _ description: String = ""
  ) -> Schema {
    let properties = members.map { JSON.Member(name: $0.key, value: $0.value.json) }
    var all: [JSON.Member] = [.init(name: "properties", value: .object(properties))]
    if !required.isEmpty {
      all.append(.init(name: "required", value: .array(required.map { .string($0) })))
    }
    if unknown == .refused {
      all.append(.init(name: "additionalProperties", value: false))
    }
    return Schema(type: "object", description, all)
  }

  /// One of several.
  public static func any(of schemas: [Schema]) -> Schema {
    Schema(json: ["anyOf": .array(schemas.map(\.json))])
  }

  /// This, or `null`.
  public var orNull: Schema { .any(of: [self, Schema(json: ["type": "null"])]) }

  /// Bytes of any kind, as a file is.
  public static let binary = Schema(json: ["type": "string", "format": "binary"])

  private static func bounds(
    _ low: String,
    _ high: String,
    _ range: ClosedRange<Int>
  ) -> [JSON.Member] {
    [
      .init(name: low, value: .integer(Int64(range.lowerBound))),
      .init(name: high, value: .integer(Int64(range.upperBound))),
    ]
  }
}

/// A described parameter of a route.
public struct Parameter: Sendable, Equatable {
  let name: String
  let place: String
  let required: Bool
  let description: String
  let schema: Schema

  /// One `{name}` of the pattern.
  ///
  /// Undescribed ones are shown as text.
  ///
  /// - Parameters:
  ///   - name: As in the pattern, without braces.
  ///   - schema: What it may be.
  ///   - description: What it means.
  /// - Returns: The parameter.
  public static func path(
    _ name: String,
    _ schema: Schema = .string(),
    _ description: String = ""
  ) -> Parameter {
    Parameter(
      name: name,
      place: "path",
      required: true,
      description: description,
      schema: schema
    )
  }

  /// One name of the query.
  ///
  /// - Parameters:
  ///   - name: As sent.
  ///   - schema: What it may be.
  ///   - description: What it means.
  ///   - required: Whether it must be there.
  /// - Returns: The parameter.
  public static func query(
    _ name: String,
    _ schema: Schema = .string(),
    _ description: String = "",
    required: Bool = false
  ) -> Parameter {
    Parameter(
      name: name,
      place: "query",
      required: required,
      description: description,
      schema: schema
    )
  }

  /// A header field the route looks at.
  ///
  /// - Parameters:
  ///   - name: As sent.
  ///   - schema: What it may be.
  ///   - description: What it means.
  ///   - required: Whether it must be there.
  /// - Returns: The parameter.
  public static func header(
    _ name: String,
    _ schema: Schema = .string(),
    _ description: String = "",
    required: Bool = false
  ) -> Parameter {
    Parameter(
      name: name,
      place: "header",
      required: required,
      description: description,
      schema: schema
    )
  }

  var json: JSON {
    [
      "name": .string(name), "in": .string(place), "required": .bool(required),
      "description": .string(description), "schema": schema.json,
    ]
  }
}
