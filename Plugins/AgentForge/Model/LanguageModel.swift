/// A model in memory as phases read and make it: numbers, words, and how it is talked to.
package struct LanguageModel: Sendable {
  /// How a conversation becomes a prompt.
  package enum Template: String, Sendable, CaseIterable {
    /// The texts, one after another: for a model that has seen plain text alone.
    case plain
    /// Turns between the special tokens of `Dialogue`.
    case dialogue
  }

  /// What the weights were before they became float32 here, which says how they are stored and computed with.
  package enum Form: String, Sendable, CaseIterable {
    /// float32, as trained.
    case dense
    /// Linear layers in {−s, 0, s}, packed (bitnet).
    case ternary
    /// Seeds, codebooks and entropy-coded indices (final_compression).
    case compressed
  }

  /// The numbers.
  package var parameters: Parameters
  /// The words.
  package var tokenizer: Tokenizer
  /// How it is talked to.
  package var template: Template
  /// How it is stored.
  package var form: Form
  /// Put before every conversation in the dialogue form (persona, tools, a prompt that ADAS found); may be empty.
  package var systemPrompt: String
  /// Numbers beside the transformer's that only some phases know (a mixing head, a self-model), by name.
  package var extras: [String: Floats]
  /// What a compressed or packed form needs besides `parameters` to be stored again; empty for dense.
  package var payload: [UInt8]

  /// A dense model without extras.
  package init(parameters: Parameters, tokenizer: Tokenizer, template: Template) {
    self.parameters = parameters
    self.tokenizer = tokenizer
    self.template = template
    form = .dense
    systemPrompt = ""
    extras = [:]
    payload = []
  }

  /// The sizes.
  package var shape: ModelShape { parameters.shape }
}
