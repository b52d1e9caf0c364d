import GatewayPlugin

extension Failure {
  /// 503: uploaded files are another plugin's.
  static let noFiles = Failure.unavailable(
    "Uploaded files cannot be read just now; the plugin utilities must be running.",
    retryAfter: .seconds(5)
  )

  /// 503: the ledger is another plugin's.
  static func noLedger(_ refusal: HostRefusal) -> Failure {
    unavailable(
      """
      The job's cost cannot be locked: \(refusal). The plugin tokens must be running, or the operator \
      sets "payment": "off" in fog's settings.
      """,
      retryAfter: .seconds(5)
    )
  }

  /// 402: the ledger says there is too little.
  static func noBalance(_ estimate: Amount, _ message: String) -> Failure {
    Failure(
      status: 402,
      code: "INSUFFICIENT_BALANCE",
      message: "The job can cost \(estimate.text) FOG, which must be free to lock. \(message)",
      details: ["estimate": .string(estimate.text)]
    )
  }

  /// 422: the submitter's own limit.
  static func overCost(_ estimate: Amount, _ most: Amount) -> Failure {
    Failure(
      status: 422,
      code: "COST_LIMIT_EXCEEDED",
      message: """
        The job can cost \(estimate.text) FOG, and max_cost is \(most.text); raise max_cost, or ask for less.
        """,
      details: ["estimate": .string(estimate.text), "max_cost": .string(most.text)]
    )
  }
}

extension JSON {
  /// Milliseconds since 1970 as text, or `null`.
  static func time(milliseconds: Int64?) -> JSON {
    guard let milliseconds else { return .null }
    return .string(Timestamp.text(nanoseconds: milliseconds * 1_000_000, milliseconds: true))
  }
}

extension Failure {
  /// 404 for a job that is not there, or not the caller's.
  static func noJob(_ id: String) -> Failure {
    notFound("There is no job \(String(id.unicodeScalars.prefix(64))) among yours.")
  }

  /// 404 for a node that is not known.
  static func noNode(_ id: String) -> Failure {
    notFound("There is no node \(String(id.unicodeScalars.prefix(64))); see GET /v1/fog/nodes.")
  }
}
