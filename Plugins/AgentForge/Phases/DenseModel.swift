extension PhaseContext {
  /// The one model that a phase trains further, as float32 numbers.
  ///
  /// A ternary model is unpacked, which the log says: what is made of it is dense.
  ///
  /// - Parameters:
  ///   - phase: Its name, for the sentence of a refusal.
  ///   - unpacks: Whether a ternary model is taken.
  /// - Returns: The model and its id.
  /// - Throws: `RunFailure` when there is none, more than one, or one that is compressed, or ternary and not taken.
  func denseModel(
    for phase: PhaseName,
    unpacks: Bool = true
  ) throws -> (id: String, model: LanguageModel) {
    let models = try models()
    guard let (id, model) = models.first, models.count == 1 else {
      throw RunFailure(
        "\(phase.rawValue) takes one model and was given \(models.count): name one in parameters.models."
      )
    }
    switch model.form {
    case .dense: return (id, model)
    case .ternary where unpacks:
      log("\(id) is ternary: its weights are gone on with as float32, the model made is dense.")
      return (id, model.unpacked)
    case .ternary, .compressed:
      throw RunFailure(
        "\(phase.rawValue) trains dense models and \(id) is \(model.form.rawValue): "
          + "name the model it came from in parameters.models."
      )
    }
  }
}

extension LanguageModel {
  /// A ternary model with the same weights as a dense one, whose linear layers do not round what they read.
  fileprivate var unpacked: LanguageModel {
    var shape = shape
    shape.quantizesActivations = false
    var model = self
    model.parameters = Parameters(shape, sharing: parameters.values)
    model.form = .dense
    model.payload = []
    return model
  }
}
