package import GatewayPlugin

/// The parameters of a job of the type `process`.
package struct ProcessOrder: Sendable, Equatable {
  /// File id of the bundle, one of the inputs; `nil` for a command without one.
  package var bundle: String?
  /// Program and arguments.
  package var command: [String]
  package var environment: [(name: String, value: String)]

  package static func == (left: ProcessOrder, right: ProcessOrder) -> Bool {
    left.bundle == right.bundle && left.command == right.command
      && left.environment.elementsEqual(right.environment, by: ==)
  }

  /// Reads the parameters; also for whoever submits a job.
  ///
  /// - Parameter fields: Of `parameters`; errors are noted there.
  package init(_ fields: inout Fields) {
    bundle = fields.optionalString("bundle", 1...128)
    command = fields.strings("command", 1...256, length: 0...4096)
    if command.first == "" { fields.refuse("command", "must begin with a program's name") }
    if command.contains(where: { $0.utf8.contains(0) }) {
      fields.refuse("command", "must not have NUL characters")
    }
    environment = []
    let values = fields.json("environment") ?? [:]
    guard let members = values.asMembers, members.count <= 64 else {
      fields.refuse("environment", "must be an object of at most 64 names")
      return
    }
    for member in members {
      guard let value = member.value.asString, value.utf8.count <= 4096, !value.utf8.contains(0),
        Self.isName(member.name)
      else {
        fields.refuse(
          "environment.\(member.name)",
          "must be a name of letters, digits and _ with a text of at most 4096 bytes"
        )
        continue
      }
      environment.append((member.name, value))
    }
  }

  private static func isName(_ name: String) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= 128,
      !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}
