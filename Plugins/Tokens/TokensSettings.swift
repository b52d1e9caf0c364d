package import GatewayPlugin

/// What the operator has decided for this plugin, in `plugins.d/40-tokens.json`.
package struct TokensSettings: Sendable, Equatable {
  /// The numbers of the ledger, what votes may do to them, and the supply.
  package var rules = LedgerRules()

  /// Plugins that may lock, settle and release through the service `tokens`.
  ///
  /// Default `p2p_fog` alone.
  package var trustedCallers = ["p2p_fog"]

  /// Days that a user's idempotency key is remembered.
  ///
  /// Default 30. A request repeated later is a new one.
  package var idempotencyDays = 30

  /// Seconds between two looks of the audit.
  ///
  /// Default 5. Each adds up all accounts and verifies the next entries and accounts.
  package var auditSeconds = 5

  package init() {}

  /// Reads the settings.
  ///
  /// - Parameter settings: Of the plugin's file.
  /// - Throws: `PluginFailure` that names every bad setting.
  package init(_ settings: Settings) throws(PluginFailure) {
    self = try settings.read { fields in TokensSettings(&fields) }
  }

  /// Reads the members; every bad one is noted in `fields`.
  package init(_ fields: inout Fields) {
    for parameter in PolicyParameter.allCases {
      guard let json = fields.json(parameter.rawValue) else { continue }
      guard let value = parameter.read(json) else {
        fields.refuse(parameter.rawValue, parameter.wanted(parameter.range))
        continue
      }
      rules.policy[parameter] = value
    }
    rules.initialSupply = Self.supply("initial_supply", rules.initialSupply, &fields)
    rules.maximumSupply = Self.supply("maximum_supply", rules.maximumSupply, &fields)
    if rules.initialSupply > rules.maximumSupply {
      fields.refuse(
        "initial_supply",
        "must be at most the maximum_supply of \(rules.maximumSupply)"
      )
    }
    readBounds(&fields)
    if fields.json("trusted_callers") != nil {
      trustedCallers = fields.strings("trusted_callers", 0...16, length: 1...32)
    }
    idempotencyDays = fields.integer("idempotency_days", 1...3650, default: idempotencyDays)
    auditSeconds = fields.integer("audit_seconds", 1...3600, default: auditSeconds)
  }

  private static func supply(
    _ name: String,
    _ standard: Amount,
    _ fields: inout Fields
  ) -> Amount {
    guard let json = fields.json(name) else { return standard }
    // Why a text is no amount is said in one sentence with the limit.
    guard let text = json.asString, let amount = try? Amount(text),
      amount <= LedgerRules().maximumSupply
    else {
      fields.refuse(
        name,
        "must be a decimal text of FOG of at most \(LedgerRules().maximumSupply)"
      )
      return standard
    }
    return amount
  }

  private mutating func readBounds(_ fields: inout Fields) {
    guard let governable = fields.json("governable") else { return }
    guard let members = governable.asMembers else {
      return fields.refuse("governable", "must be an object of parameters and [lowest, highest]")
    }
    rules.bounds = [:]
    for member in members {
      let field = "governable.\(member.name)"
      guard let parameter = PolicyParameter(rawValue: member.name) else {
        fields.refuse(field, "is no parameter", allowed: PolicyParameter.allCases.map(\.rawValue))
        continue
      }
      guard let ends = member.value.asArray, ends.count == 2, let low = parameter.read(ends[0]),
        let high = parameter.read(ends[1]), low <= high
      else {
        fields.refuse(
          field,
          "must be [lowest, highest]; each \(parameter.wanted(parameter.range))"
        )
        continue
      }
      rules.bounds[parameter] = low...high
    }
  }
}
