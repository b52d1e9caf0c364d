/// A model's numbers as a decoder computes with them; they are read where they stand, and may be trained between two texts.
package struct DecodingLayers: Sendable {
  /// The linear layers of one block; what reads the same input is one layer.
  struct Block: Sendable {
    let queryKeyValue, output, gateUp, down: LinearLayer

    var all: [LinearLayer] { [queryKeyValue, output, gateUp, down] }
  }

  let parameters: Parameters
  let rotary: RotaryTable
  let blocks: [Block]
  /// The embedding as output matrix.
  let head: LinearLayer

  /// The layers of a model; the ternary ones are packed from the numbers as they are now.
  ///
  /// - Parameters:
  ///   - transformer: Of the parameters' shape.
  ///   - parameters: Kept, not copied.
  package init(_ transformer: Transformer, _ parameters: Parameters) {
    self.parameters = parameters
    rotary = transformer.rotary
    let (shape, values, layout) = (parameters.shape, parameters.values, parameters.layout)
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
}
