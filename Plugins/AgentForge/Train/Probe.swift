import PluginStorage

/// What a training would take, from a few of its steps on this machine.
package enum Probe {
  /// Seconds of one step.
  ///
  /// Trains a throw-away model of the same shape on made-up tokens, at the rate 0: a rate that lets training diverge
  /// must not do so here, where nothing is trained.
  ///
  /// - Parameters:
  ///   - shape: The model's.
  ///   - settings: How it would be trained.
  ///   - parallel: The threads.
  /// - Returns: Seconds.
  /// - Throws: What the threads throw.
  package static func secondsPerStep(
    _ shape: ModelShape,
    _ settings: TrainSettings,
    _ parallel: Parallel
  ) throws -> Double {
    var generator = Generator(seed: 1)
    let parameters = Parameters(shape)
    parameters.initialize(&generator)
    var settings = settings
    settings.rate = 0
    let trainer = Trainer(parameters, settings, parallel, nil)
    let count = settings.batchSize * settings.length
    let tokens = (0..<(count + 1)).map { _ in Int32(generator.below(shape.vocabulary)) }
    let batch = Batch(
      rows: settings.batchSize,
      length: settings.length,
      tokens: Array(tokens.dropLast()),
      targets: Array(tokens.dropFirst())
    )
    return try seconds { _ = try trainer.step(batch) }
  }

  /// Seconds of one call: one to warm up, then as many as fit half a second, at least one and at most ten.
  ///
  /// - Parameter step: What is measured.
  /// - Returns: Seconds.
  /// - Throws: What `step` throws.
  package static func seconds(of step: () throws -> Void) rethrows -> Double {
    try step()
    let start = Clock.monotonic()
    var steps = 0
    repeat {
      try step()
      steps += 1
    } while steps < 10 && Clock.monotonic() - start < 500_000_000
    return Double(Clock.monotonic() - start) / 1e9 / Double(steps)
  }
}
