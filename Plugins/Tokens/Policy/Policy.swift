package import GatewayPlugin
import PluginStorage

/// The numbers that hold now: the operator's, and over them what was voted.
package struct Policy: Sendable, Equatable {
  /// Seconds that anything can be locked or voted at most: two years.
  package static let longestLockSeconds = 730 * 86_400
  /// Seconds of the year that interest is counted by.
  package static let yearSeconds: Int128 = 365 * 86_400

  private var values: [PolicyParameter: Int128]

  /// The defaults.
  package init() {
    values = Dictionary(
      uniqueKeysWithValues: PolicyParameter.allCases.map { ($0, $0.defaultValue) }
    )
  }

  /// The number of a parameter: units of 10⁻¹⁸ FOG, or the whole number.
  package subscript(parameter: PolicyParameter) -> Int128 {
    get { values[parameter] ?? parameter.defaultValue }
    set { values[parameter] = newValue }
  }

  /// An amount of the policy.
  package func amount(_ parameter: PolicyParameter) -> Amount { Amount(units: self[parameter]) }

  /// A time of the policy, in nanoseconds.
  package func nanoseconds(_ parameter: PolicyParameter) -> Int64 {
    Int64(self[parameter]) * 1_000_000_000
  }
}

/// What the operator fixed: the policy to begin with, what votes may do to it, and the supply.
package struct LedgerRules: Sendable, Equatable {
  /// The numbers while nothing was voted.
  package var policy = Policy()
  /// What may be changed by vote, and within what.
  package var bounds: [PolicyParameter: ClosedRange<Int128>] = Dictionary(
    uniqueKeysWithValues: PolicyParameter.allCases.compactMap { parameter in
      parameter.defaultBounds.map { (parameter, $0) }
    }
  )
  /// What the treasury gets at the first start.
  package var initialSupply = Amount(whole: 1_000_000_000)
  /// What there may be of FOG in all.
  package var maximumSupply = Amount(whole: 10_000_000_000)

  package init() {}

  /// The policy with what was voted; the operator's present bounds hold over it.
  func policy(on connection: inout Connection) throws(LedgerError) -> Policy {
    var policy = policy
    let voted = try connection.list("SELECT name, value FROM parameters") {
      (name: $0.text(0), value: $0.text(1))
    }
    for change in voted {
      guard let parameter = PolicyParameter(rawValue: change.name), let bounds = bounds[parameter],
        let json = try? JSON.parse(Array(change.value.utf8)), let value = parameter.read(json)
      else { continue }  // not open to votes any more: the operator's number holds
      policy[parameter] = min(max(value, bounds.lowerBound), bounds.upperBound)
    }
    return policy
  }

  /// What `GET /v1/tokens/policy` shows.
  ///
  /// - Parameter policy: The numbers that hold now.
  /// - Returns: Every number, and for those that may be voted on its bounds.
  package func json(_ policy: Policy) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "symbol", value: "FOG"),
      .init(name: "decimals", value: .integer(Int64(Amount.decimals))),
      .init(name: "initial_supply", value: .string(initialSupply.description)),
      .init(name: "maximum_supply", value: .string(maximumSupply.description)),
      .init(
        name: "maximum_lock_seconds",
        value: .integer(Int64(Policy.longestLockSeconds))
      ),
    ]
    members += PolicyParameter.allCases.map {
      .init(name: $0.rawValue, value: $0.json(policy[$0]))
    }
    let governable = PolicyParameter.allCases.compactMap { parameter in
      bounds[parameter].map { bounds in
        JSON.Member(
          name: parameter.rawValue,
          value: [parameter.json(bounds.lowerBound), parameter.json(bounds.upperBound)]
        )
      }
    }
    members.append(.init(name: "governable", value: .object(governable)))
    members.append(.init(name: "reward_rule", value: Contribution.rule))
    return .object(members)
  }
}
