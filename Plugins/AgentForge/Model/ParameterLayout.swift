/// Where each tensor of a model stands in its one buffer of parameters.
///
/// Names and shapes are Llama's in Hugging Face's form; a weight is `[out, in]`. Matrices that read the same input
/// stand one after another, so that one product computes them: query, key and value; gate and up.
package struct ParameterLayout: Sendable, Equatable {
  /// What a tensor is for, as optimisers, quantisers and merges ask.
  package enum Role: Sendable, Equatable {
    /// A row for each token; also the output matrix.
    case embedding
    /// The matrix of a linear layer inside a block.
    case linear
    /// A vector: a norm's gains, a halting unit.
    case vector
  }

  /// One tensor.
  package struct Tensor: Sendable, Equatable {
    /// Like `model.layers.0.self_attn.q_proj.weight`.
    package let name: String
    /// Rows and columns; one number for a vector.
    package let dimensions: [Int]
    /// Of its first element.
    package let offset: Int
    /// What it is for.
    package let role: Role

    /// How many elements.
    package var count: Int { dimensions.reduce(1, *) }
    /// Where they stand.
    package var range: Range<Int> { offset..<(offset + count) }
  }

  /// Offsets of one block's tensors.
  package struct Block: Sendable, Equatable {
    package let attentionNorm, query, output, feedForwardNorm, gate, down: Int
  }

  /// All tensors in order.
  package let tensors: [Tensor]
  /// The blocks' offsets.
  package let blocks: [Block]
  /// Offset of the final norm; the embedding is at 0.
  package let finalNorm: Int
  /// Offset of the halting unit's weights, followed by its bias; `nil` without one.
  package let halting: Int?
  /// Numbers in all.
  package let count: Int

  /// The layout of `shape`.
  package init(_ shape: ModelShape) {
    var tensors: [Tensor] = []
    var end = 0
    @discardableResult
    func add(_ name: String, _ dimensions: [Int], _ role: Role) -> Int {
      let tensor = Tensor(name: name, dimensions: dimensions, offset: end, role: role)
      tensors.append(tensor)
      end += tensor.count
      return tensor.offset
    }
    let width = shape.width
    let hidden = shape.hidden
    add("model.embed_tokens.weight", [shape.vocabulary, width], .embedding)
    var blocks: [Block] = []
    for index in 0..<shape.layers {
      let prefix = "model.layers.\(index)."
      let attentionNorm = add(prefix + "input_layernorm.weight", [width], .vector)
      let query = add(prefix + "self_attn.q_proj.weight", [width, width], .linear)
      add(prefix + "self_attn.k_proj.weight", [width, width], .linear)
      add(prefix + "self_attn.v_proj.weight", [width, width], .linear)
      let output = add(prefix + "self_attn.o_proj.weight", [width, width], .linear)
      let norm = add(prefix + "post_attention_layernorm.weight", [width], .vector)
      let gate = add(prefix + "mlp.gate_proj.weight", [hidden, width], .linear)
      add(prefix + "mlp.up_proj.weight", [hidden, width], .linear)
      let down = add(prefix + "mlp.down_proj.weight", [width, hidden], .linear)
      blocks.append(
        Block(
          attentionNorm: attentionNorm,
          query: query,
          output: output,
          feedForwardNorm: norm,
          gate: gate,
          down: down
        )
      )
    }
    finalNorm = add("model.norm.weight", [width], .vector)
    if shape.halts {
      halting = add("forge.halting.weight", [width], .vector)
      add("forge.halting.bias", [1], .vector)
    } else {
      halting = nil
    }
    self.tensors = tensors
    self.blocks = blocks
    count = end
  }

  /// The tensor of that name.
  package func tensor(_ name: String) -> Tensor? { tensors.first { $0.name == name } }
}
