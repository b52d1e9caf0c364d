import PluginStorage

/// How fast a model answers: measured, one token after another, as in a conversation of one.
package enum DecodingSpeed {
  /// Nanoseconds that are measured at least, after one pass to warm up.
  private static let time: Int64 = 200_000_000

  /// Tokens a second over the model's whole context, the most likely token after each.
  ///
  /// - Parameter model: Any; its own kernels are used.
  /// - Returns: Tokens a second, on the calling thread.
  package static func tokensPerSecond(_ model: LanguageModel) -> Double {
    let ready = RunnableModel(model)
    let length = min(model.shape.context, 128)
    pass(ready, length)
    let start = Clock.monotonic()
    var tokens = 0
    repeat {
      pass(ready, length)
      tokens += length
    } while Clock.monotonic() - start < time
    return Double(tokens) / (Double(Clock.monotonic() - start) / 1e9)
  }

  private static func pass(_ model: RunnableModel, _ length: Int) {
    let decoder = Decoder(model, capacity: length)
    var token: Int32 = 0
    for _ in 0..<length {
      decoder.read([token])
      let scores = decoder.logits
      var best = 0
      for index in 1..<scores.count where scores[index] > scores[best] { best = index }
      token = Int32(best)
    }
  }
}
