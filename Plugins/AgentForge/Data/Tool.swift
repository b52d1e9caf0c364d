package import GatewayPlugin

/// Something that a model may call: what it is named, what it does, and what it is told.
package struct Tool: Sendable, Equatable {
  /// One argument of a call.
  package struct Parameter: Sendable, Equatable {
    /// What its value is, as JSON Schema names it.
    package enum Kind: String, CaseIterable, Sendable { case string, integer, number, boolean }

    package let name: String
    package let kind: Kind
    /// The only values it may have; empty for any.
    package let values: [JSON]

    /// A parameter.
    package init(_ name: String, _ kind: Kind, values: [JSON] = []) {
      self.name = name
      self.kind = kind
      self.values = values
    }

    /// Whether `value` is of the kind, and one of the values.
    package func allows(_ value: JSON) -> Bool {
      let isOfKind =
        switch kind {
        case .string: value.asString != nil
        case .integer: value.asInteger != nil
        case .number: value.asNumber != nil
        case .boolean: value.asBool != nil
        }
      return isOfKind && (values.isEmpty || values.contains(value))
    }
  }

  package let name: String
  package let description: String
  package let parameters: [Parameter]

  /// A tool.
  package init(_ name: String, _ description: String, _ parameters: [Parameter]) {
    self.name = name
    self.description = description
    self.parameters = parameters
  }

  /// What is declared when nothing else is: a calculator, a unit converter, a weather look-up and a reminder.
  package static let usual: [Tool] = [
    Tool("calculator", "works out sums", [Parameter("expression", .string)]),
    Tool(
      "convert",
      "converts units",
      [
        Parameter("value", .integer),
        Parameter("from", .string, values: ["km", "miles", "kg", "pounds"]),
        Parameter("to", .string, values: ["km", "miles", "kg", "pounds"]),
      ]
    ),
    Tool("weather", "knows the weather", [Parameter("city", .string)]),
    Tool("remind", "sets reminders", [Parameter("text", .string), Parameter("time", .string)]),
  ]

  /// The declaration in a line, for a system prompt: `weather(city): knows the weather`.
  package var line: String {
    let names = parameters.map(\.name).joined(separator: ", ")
    return description.isEmpty ? "\(name)(\(names))" : "\(name)(\(names)): \(description)"
  }
}

extension Tool {
  /// Reads `name`, `description` and `parameters` of one declaration.
  ///
  /// - Parameter fields: Of the declaration; every fault is noted.
  package init(_ fields: inout Fields) {
    name = fields.string("name", 1...32)
    if !name.utf8.allSatisfy(Self.isNameByte) {
      fields.refuse("name", "must be of the letters a to z, digits and _")
    }
    description = fields.string("description", 0...200, default: "")
    let names = fields.json("parameters")?.asMembers?.map(\.name) ?? []
    if names.count > 8 || Set(names).count != names.count
      || names.contains(where: { !(1...32).contains($0.utf8.count) })
    {
      fields.refuse("parameters", "must have at most 8 names of 1 to 32 bytes, no two the same")
    }
    parameters =
      fields.optionalObject("parameters") { fields in
        names.prefix(8).map { name in
          fields.object(name) { Parameter(name, &$0) }
        }
      } ?? []
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
  }
}

extension Tool.Parameter {
  fileprivate init(_ name: String, _ fields: inout Fields) {
    let kinds = Kind.allCases.map(\.rawValue)
    let kind = Kind(rawValue: fields.choice("type", kinds)) ?? .string
    let given = fields.json("values")
    let values = given?.asArray ?? []
    self.init(name, kind, values: values)
    guard given != nil else { return }
    let isShort = values.allSatisfy { ($0.asString ?? "").unicodeScalars.count <= 64 }
    let plain = Tool.Parameter(name, kind)
    if !(1...16).contains(values.count) || !isShort || !values.allSatisfy(plain.allows) {
      fields.refuse("values", "must be a list of 1 to 16 values of type \(kind.rawValue)")
    }
  }
}
