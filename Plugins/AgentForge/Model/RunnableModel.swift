/// A model made ready to be talked to: what all its decoders share.
package final class RunnableModel: Sendable {
  /// The model as it was loaded.
  package let model: LanguageModel
  let layers: DecodingLayers

  /// Makes `model` ready.
  package init(_ model: LanguageModel) {
    self.model = model
    layers = DecodingLayers(Transformer(model.shape), model.parameters)
  }

  /// Bytes it holds in memory, nearly.
  package var bytes: Int {
    let rotary = layers.rotary.cosine.count + layers.rotary.sine.count
    let floats = model.extras.values.reduce(model.parameters.values.count + rotary) {
      $0 + $1.count
    }
    return layers.blocks.flatMap(\.all)
      .reduce(floats * MemoryLayout<Float>.stride + model.payload.count) { $0 + $1.packedBytes }
  }
}
