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
    let layout = model.parameters.layout
    func layer(_ outputs: Int, _ inputs: Int, _ offset: Int) -> LinearLayer {
      LinearLayer(outputs: outputs, inputs: inputs, .dense(values, offset: offset))
    }
    /// The layer of the matrices from `offset` on: on the ternary kernel if they are ternary and their inputs are rounded.
    func linear(_ outputs: Int, _ inputs: Int, _ offset: Int) -> LinearLayer {
      let range = offset..<(offset + outputs * inputs)
      let tensors = layout.tensors.filter { range.contains($0.offset) }
      let matrices =
        shape.quantizesActivations ? tensors.compactMap { TernaryMatrix(values, $0) } : []
      guard !matrices.isEmpty, matrices.count == tensors.count else {
        return layer(outputs, inputs, offset)
      }
      return LinearLayer(outputs: outputs, inputs: inputs, .ternary(matrices))
    }
    blocks = layout.blocks.map { offsets in
      Block(
        queryKeyValue: linear(3 * shape.width, shape.width, offsets.query),
        output: linear(shape.width, shape.width, offsets.output),
        gateUp: linear(2 * shape.hidden, shape.width, offsets.gate),
        down: linear(shape.width, shape.hidden, offsets.down)
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
    let layers = blocks.flatMap { [$0.queryKeyValue, $0.output, $0.gateUp, $0.down] }
    return layers.reduce(floats * MemoryLayout<Float>.stride + model.payload.count) {
      $0 + $1.packedBytes
    }
  }
}
