/// A model made ready to be talked to: what all its decoders share.
package final class RunnableModel: Sendable {
  /// The linear layers of one block; what reads the same input is one layer.
  struct Block: Sendable {
    let queryKeyValue, output, gateUp, down: LinearLayer
  }

  /// The model as it was loaded.
  package let model: LanguageModel
  let transformer: Transformer
  let blocks: [Block]
  /// The embedding as output matrix.
  let head: LinearLayer

  /// Makes `model` ready.
  package init(_ model: LanguageModel) {
    self.model = model
    let shape = model.shape
    transformer = Transformer(shape)
    let values = model.parameters.values
    func layer(_ outputs: Int, _ inputs: Int, _ offset: Int) -> LinearLayer {
      LinearLayer(outputs: outputs, inputs: inputs, .dense(values, offset: offset))
    }
    blocks = model.parameters.layout.blocks.map { offsets in
      Block(
        queryKeyValue: layer(3 * shape.width, shape.width, offsets.query),
        output: layer(shape.width, shape.width, offsets.output),
        gateUp: layer(2 * shape.hidden, shape.width, offsets.gate),
        down: layer(shape.width, shape.hidden, offsets.down)
      )
    }
    head = layer(shape.vocabulary, shape.width, 0)
  }

  /// Bytes it holds in memory, nearly.
  package var bytes: Int {
    let rotary = transformer.rotary.cosine.count + transformer.rotary.sine.count
    let floats = model.extras.values.reduce(model.parameters.values.count + rotary) {
      $0 + $1.count
    }
    return floats * MemoryLayout<Float>.stride + model.payload.count
  }
}
