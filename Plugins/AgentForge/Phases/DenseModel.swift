extension PhaseContext {
  /// The one model that a phase trains further.
  ///
  /// - Parameter phase: Its name, for the sentence of a refusal.
  /// - Returns: The model and its id.
  /// - Throws: `RunFailure` when there is none, more than one, or one that is packed.
  func denseModel(for phase: PhaseName) throws -> (id: String, model: LanguageModel) {
    let models = try models()
    guard let (id, model) = models.first, models.count == 1 else {
      throw RunFailure(
        "\(phase.rawValue) takes one model and was given \(models.count): name one in models."
      )
    }
    guard model.form == .dense else {
      throw RunFailure(
        "\(phase.rawValue) trains dense models and \(id) is \(model.form.rawValue): "
          + "name the model it came from."
      )
    }
    return (id, model)
  }
}
