/// Models that may be merged: dense ones that are equal in all but their numbers.
package enum Mergeable {
  /// Checks them.
  ///
  /// - Parameter models: With their ids; at least one.
  /// - Throws: `RunFailure` that names which differ from the first one, and how.
  package static func check(_ models: [(id: String, model: LanguageModel)]) throws(RunFailure) {
    guard let first = models.first else { return }
    var faults: [String] = []
    for (id, model) in models {
      if model.form != .dense {
        faults.append("\(id) is \(model.form.rawValue), not dense")
      } else {
        let differences = differences(first.model, model)
        if !differences.isEmpty {
          faults.append("\(id) differs from \(first.id) in \(differences.joined(separator: ", "))")
        }
      }
    }
    guard faults.isEmpty else {
      throw RunFailure(
        "Only dense models of one shape and one tokenizer can be merged: "
          + "\(faults.joined(separator: "; ")). In parameters.models name models that one run of cognate made."
      )
    }
  }

  private static func differences(_ one: LanguageModel, _ other: LanguageModel) -> [String] {
    var found: [String] = []
    func compare(_ name: String, _ a: some Equatable, _ b: some Equatable) {
      if "\(a)" != "\(b)" { found.append("\(name) (\(b), not \(a))") }
    }
    compare("vocabulary", one.shape.vocabulary, other.shape.vocabulary)
    compare("width", one.shape.width, other.shape.width)
    compare("layers", one.shape.layers, other.shape.layers)
    compare("heads", one.shape.heads, other.shape.heads)
    compare("hidden", one.shape.hidden, other.shape.hidden)
    compare("context", one.shape.context, other.shape.context)
    compare("rope_theta", one.shape.ropeBase, other.shape.ropeBase)
    compare("rms_norm_eps", one.shape.normEpsilon, other.shape.normEpsilon)
    compare("act", one.shape.halts, other.shape.halts)
    compare(
      "quantizes_activations",
      one.shape.quantizesActivations,
      other.shape.quantizesActivations
    )
    if one.tokenizer != other.tokenizer { found.append("the tokenizer's merges") }
    return found
  }
}
