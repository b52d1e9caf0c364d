/// The eight phases, in the pipeline's order.
package enum PhaseName: String, Sendable, CaseIterable {
  case cognate
  case evomerge
  case quietstar
  case bitnet
  case forgeTraining = "forge_training"
  case toolPersonaBaking = "tool_persona_baking"
  case adas
  case finalCompression = "final_compression"

  /// Spellings of older documents.
  private static let aliases: [String: PhaseName] = [
    "quiet-star": .quietstar, "quiet_star": .quietstar, "forge": .forgeTraining,
    "training": .forgeTraining, "forge-training": .forgeTraining,
    "tool-baking": .toolPersonaBaking, "tool_baking": .toolPersonaBaking,
    "tool-persona": .toolPersonaBaking, "tool-persona-baking": .toolPersonaBaking,
    "compression": .finalCompression, "final-compression": .finalCompression,
  ]

  /// The phase of that name or alias.
  package init?(_ name: String) {
    guard let phase = PhaseName(rawValue: name) ?? Self.aliases[name] else { return nil }
    self = phase
  }
}
