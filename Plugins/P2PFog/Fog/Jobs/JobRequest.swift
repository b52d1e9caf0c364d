import GatewayPlugin

/// A submission as it was sent, with every bound checked that needs no look at nodes or accounts.
struct JobRequest: Sendable {
  /// Inputs of one job.
  static let maxInputs = 64
  /// Bytes of `parameters` as JSON: an offer goes to the node in one call.
  static let maxParameterBytes = 128 << 10
  /// Milliseconds from now that a deadline may be away at most: 90 days.
  static let mostAhead: Int64 = 90 * 86_400_000

  var name = ""
  var type = JobType.process
  var tier = FogTier.bronze
  var requirements = Requirements()
  var parameters: JSON = [:]
  var inputs: [String] = []
  var deadline: Int64?
  var maxCost: Amount?
  var quote: String?

  /// Reads a submission.
  ///
  /// - Parameters:
  ///   - json: The body.
  ///   - now: Milliseconds since 1970.
  /// - Throws: 422 with every bad field.
  init(_ json: JSON, now: Int64) throws(Failure) {
    var fields = Fields(Self.normalized(json))
    name = fields.string(Self.given("name", or: "job_name", json), 1...128)
    let typeName = Self.given("type", or: "job_type", json)
    let type = fields.string(typeName, 1...32)
    let known = Self.type(type)
    if let known { self.type = known } else if !type.isEmpty { Self.refuse(typeName, &fields) }
    tier = Self.tier(&fields, json)
    requirements = fields.optionalObject("requirements") { Requirements(&$0) } ?? requirements
    inputs = fields.strings("inputs", 0...Self.maxInputs, length: 1...128)
    if known == .train || known == .inference, requirements.gpuCount > 0 {
      // Every node would refuse it.
      fields.refuse(
        "requirements.gpu_count",
        "must be 0 for \(type): Agent Forge computes on processors alone"
      )
    }
    if Set(inputs).count < inputs.count { fields.refuse("inputs", "must not repeat a file") }
    deadline = Self.deadline(&fields, now)
    maxCost = Self.maxCost(&fields)
    quote = fields.optionalString("quote_id", 1...64)
    parameters = fields.json("parameters") ?? [:]
    if known != nil { checkParameters(&fields) }
    try fields.finish()
  }

  /// The name of a member that was sent: ours, or the original's; errors name what the client wrote.
  static func given(_ name: String, or original: String, _ json: JSON) -> String {
    json[name] == nil && json[original] != nil ? original : name
  }

  /// Puts our units in the place of the original's.
  static func normalized(_ json: JSON) -> JSON {
    guard var members = json.asMembers else { return json }
    for (index, member) in members.enumerated() where member.name == "requirements" {
      members[index].value = requirements(member.value)
    }
    return .object(members)
  }

  /// The original's units: GiB and hours.
  private static func requirements(_ json: JSON) -> JSON {
    guard var members = json.asMembers else { return json }
    let aliases: [String: (name: String, factor: Double)] = [
      "memory_gb": ("memory_mb", 1024), "storage_gb": ("disk_mb", 1024),
      "estimated_duration_hours": ("max_duration_s", 3600),
    ]
    for (index, member) in members.enumerated() {
      guard let alias = aliases[member.name], json[alias.name] == nil,
        let value = member.value.asNumber, value > 0, value < 1e12
      else { continue }
      let scaled = (value * alias.factor).rounded(.up)
      members[index] = .init(name: alias.name, value: .integer(Int64(scaled)))
    }
    return .object(members)
  }

  /// The type of its name here or in the original.
  static func type(_ text: String) -> JobType? {
    text == "training" ? .train : JobType(rawValue: text)
  }

  static func refuse(_ name: String, _ fields: inout Fields) {
    let known = JobType.allCases.map(\.rawValue)
    fields.refuse(name, "must be one of \(known.joined(separator: ", "))", allowed: known)
  }

  /// The tier; bronze when absent.
  static func tier(_ fields: inout Fields, _ json: JSON) -> FogTier {
    let known = FogTier.allCases.map(\.rawValue)
    let name = given("tier", or: "privacy_tier", json)
    return FogTier(rawValue: fields.choice(name, known, default: "bronze")) ?? .bronze
  }

  private static func deadline(_ fields: inout Fields, _ now: Int64) -> Int64? {
    guard let text = fields.optionalString("deadline", 1...64) else { return nil }
    guard let nanoseconds = Timestamp.parse(text) else {
      fields.refuse("deadline", "must be a time like 2026-01-31T12:00:00Z (RFC 3339)")
      return nil
    }
    let at = nanoseconds / 1_000_000
    if at <= now { fields.refuse("deadline", "must be in the future") }
    if at > now + mostAhead { fields.refuse("deadline", "must be within 90 days") }
    return at
  }

  private static func maxCost(_ fields: inout Fields) -> Amount? {
    guard let json = fields.json("max_cost") else { return nil }
    // The original sends a number; a text says exactly what is meant.
    let text: String? =
      switch json {
      case .string(let text): text
      case .integer(let number): "\(number)"
      case .number(let number) where number >= 0 && number < 1e9:
        Amount(Int((number * Double(Amount.unit)).rounded(.down))).text
      default: nil
      }
    if let amount = text.flatMap({ Amount($0) }) { return amount }
    fields.refuse("max_cost", "must be an amount of FOG, like \"2.5\", with at most 18 decimals")
    return nil
  }

  private func checkParameters(_ fields: inout Fields) {
    guard parameters.asMembers != nil else {
      return fields.refuse("parameters", "must be a JSON object")
    }
    let bytes = parameters.bytes.count
    guard bytes <= Self.maxParameterBytes else {
      return fields.refuse(
        "parameters",
        "must have at most \(Self.maxParameterBytes) bytes, not \(bytes)"
      )
    }
    let inputs = inputs
    switch type {
    case .train: break
    case .inference:
      _ = fields.optionalObject("parameters") { part in
        _ = part.string("model_id", 1...128)
        _ = part.strings("prompts", 1...256, length: 1...65_536)
        for member in parameters.asMembers ?? [] { _ = part.json(member.name) }
      }
    case .process:
      _ = fields.optionalObject("parameters") { part in
        // As the node reads it, so that nothing is refused there later.
        if let bundle = ProcessOrder(&part).bundle, !inputs.contains(bundle) {
          part.refuse("bundle", "must be one of the job's inputs")
        }
      }
      if fields.json("parameters") == nil {
        fields.refuse("parameters", "is required: command, and bundle for files of its own")
      }
    }
    if type == .inference, fields.json("parameters") == nil {
      fields.refuse("parameters", "is required: model_id and prompts")
    }
  }
}
