package import GatewayPlugin

/// A rule of the ledger that is a number: set by the operator, some of them within bounds by vote.
package enum PolicyParameter: String, Sendable, CaseIterable {
  /// What an account of a user begins with; minted.
  case signupGrant = "signup_grant"
  /// What a transfer costs its sender; to the treasury.
  case transferFee = "transfer_fee"
  /// The least that one stake may be.
  case minimumStake = "minimum_stake"
  /// From how much staked an account is a validator.
  case validatorStake = "validator_stake"
  /// How long a stake is locked at least.
  case minimumLockSeconds = "minimum_lock_seconds"
  /// What a stake earns in a year of 365 days, in hundredths of a percent.
  case stakingAPY = "staking_apy_basis_points"
  /// What one weighted hour of a node's work earns.
  case baseReward = "base_reward"
  /// What one task done earns besides.
  case taskReward = "task_reward"
  /// What the reward for a job may be at most, in percent of what others paid for it.
  ///
  /// Without a limit a node could be fed with jobs that cost next to nothing, each of which mints `taskReward`.
  case rewardLimit = "reward_limit_percent"
  /// What the treasury keeps of a payment for a job, in hundredths of a percent.
  case marketplaceFee = "marketplace_fee_basis_points"
  /// What must be staked to propose.
  case proposalStake = "proposal_stake"
  /// What a proposal costs; to the treasury.
  case proposalFee = "proposal_fee"
  /// How long is voted.
  case votingSeconds = "voting_seconds"
  /// Stake that must take part at least.
  case quorumMinimum = "quorum_minimum"
  /// Share of all stake that must take part, in hundredths of a percent.
  case quorumShare = "quorum_basis_points"
  /// How long after the vote a proposal can first be executed.
  case timelockSeconds = "timelock_seconds"

  /// Whether the number is an amount of FOG; else it is a whole number.
  package var isAmount: Bool {
    switch self {
    case .minimumLockSeconds, .stakingAPY, .rewardLimit, .marketplaceFee, .votingSeconds,
      .quorumShare, .timelockSeconds:
      false
    default: true
    }
  }

  /// The default: units of 10⁻¹⁸ FOG, or the whole number.
  ///
  /// The figures of the original's token system (its `signup_grant` is the balance that `/v1/tokens` showed); what it
  /// had not is of its DAO (time lock) or decided here (lock period, marketplace fee).
  package var defaultValue: Int128 {
    let one = Amount.unitsOfOne
    return switch self {
    case .signupGrant, .minimumStake: 1000 * one
    case .transferFee: one / 100
    case .validatorStake: 10_000 * one
    case .minimumLockSeconds: 7 * 86_400
    case .stakingAPY: 500
    case .baseReward: 10 * one
    case .taskReward: one / 10
    // Together: whoever pays an account of its own for a job gives up as much as is minted for it.
    case .rewardLimit: 5
    case .marketplaceFee: 500
    case .proposalStake, .quorumMinimum: 1_000_000 * one
    case .proposalFee: 100 * one
    case .votingSeconds: 7 * 86_400
    case .quorumShare: 100
    case .timelockSeconds: 2 * 86_400
    }
  }

  /// What it can be at all.
  package var range: ClosedRange<Int128> {
    let one = Amount.unitsOfOne
    return switch self {
    case .signupGrant, .transferFee, .baseReward, .taskReward, .proposalFee: 0...1_000_000 * one
    // A stake or quorum of nothing would let anybody decide.
    case .minimumStake, .validatorStake, .proposalStake, .quorumMinimum:
      1...10_000_000_000 * one
    case .minimumLockSeconds, .timelockSeconds: 0...Int128(Policy.longestLockSeconds)
    case .votingSeconds: 1...Int128(Policy.longestLockSeconds)
    case .stakingAPY, .rewardLimit, .marketplaceFee, .quorumShare: 0...10_000
    }
  }

  /// Within what a vote may change it where the operator says nothing; `nil` for not at all.
  package var defaultBounds: ClosedRange<Int128>? {
    let one = Amount.unitsOfOne
    return switch self {
    case .signupGrant: 0...1000 * one
    case .transferFee: 0...one
    case .minimumStake: one...100_000 * one
    case .stakingAPY: 0...2000
    case .baseReward: 0...100 * one
    case .taskReward: 0...one
    case .rewardLimit: 0...100
    case .marketplaceFee: 0...1000
    default: nil
    }
  }

  /// Reads a value: a decimal text for an amount, a JSON integer for a whole number.
  ///
  /// - Parameter json: The value.
  /// - Returns: The number; `nil` when it is none or out of `range`.
  package func read(_ json: JSON?) -> Int128? {
    let value: Int128?
    if isAmount {
      value = json?.asString.flatMap { text -> Int128? in
        // Why it is no amount is said by `wanted`.
        (try? Amount(text))?.units
      }
    } else {
      value = json?.asInteger.map { Int128($0) }
    }
    guard let value, range.contains(value) else { return nil }
    return value
  }

  /// The value as `read` reads it.
  package func json(_ value: Int128) -> JSON {
    isAmount ? .string(Amount(units: value).description) : .integer(Int64(value))
  }

  /// What a field of this name wants.
  ///
  /// - Parameter bounds: Lowest and highest value.
  /// - Returns: The rest of a sentence.
  package func wanted(_ bounds: ClosedRange<Int128>) -> String {
    let lowest = json(bounds.lowerBound).text
    let highest = json(bounds.upperBound).text
    let kind = isAmount ? "a decimal text of FOG" : "a whole number"
    return "must be \(kind) of \(lowest) to \(highest)"
  }
}
