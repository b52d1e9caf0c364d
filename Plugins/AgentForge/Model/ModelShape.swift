package import GatewayPlugin

/// The sizes of a decoder-only transformer, and what its layers do.
///
/// As JSON it is the `config.json` of a Llama in Hugging Face's form, with what is ours under `forge`.
package struct ModelShape: Sendable, Equatable {
  /// Tokens it knows.
  package var vocabulary: Int
  /// Elements of a token's state.
  package var width: Int
  /// Blocks of attention and feed-forward.
  package var layers: Int
  /// Attention heads; they divide `width` into even parts.
  package var heads: Int
  /// Elements between the feed-forward's projections.
  package var hidden: Int
  /// Most tokens it reads at once.
  package var context: Int
  /// The base of the rotary positions.
  package var ropeBase: Float = 10_000
  /// Added under the root of RMSNorm.
  package var normEpsilon: Float = 1e-5
  /// Whether it halts adaptively (Graves 2016): a halting unit weighs the layers' outputs.
  package var halts = false
  /// Whether inputs of linear layers are rounded to 8 bits, as BitLinear's are (Ma and others, 2024).
  package var quantizesActivations = false

  /// A shape of these sizes.
  package init(vocabulary: Int, width: Int, layers: Int, heads: Int, hidden: Int, context: Int) {
    self.vocabulary = vocabulary
    self.width = width
    self.layers = layers
    self.heads = heads
    self.hidden = hidden
    self.context = context
  }

  /// Elements of one head.
  package var headWidth: Int { width / heads }

  /// Numbers it learns.
  package var parameterCount: Int { ParameterLayout(self).count }

  /// What no model can be, as sentences about the fields of a request: the first is empty when all is well.
  ///
  /// - Returns: Field and reason of each fault.
  package func faults() -> [(field: String, reason: String)] {
    var found: [(String, String)] = []
    func check(_ field: String, _ value: Int, _ range: ClosedRange<Int>) {
      guard !range.contains(value) else { return }
      found.append((field, "must be \(range.lowerBound) to \(range.upperBound), not \(value)"))
    }
    check("vocabulary", vocabulary, 257...65_536)
    check("width", width, 8...4096)
    check("layers", layers, 1...64)
    check("heads", heads, 1...64)
    check("hidden", hidden, 8...16_384)
    check("context", context, 8...4096)
    if heads >= 1, width >= 1, width % (2 * heads) != 0 {
      found.append(
        ("heads", "must divide width (\(width)) into parts of an even number of elements")
      )
    }
    return found
  }
}

extension ModelShape {
  /// The `model_type` of a model that is more than a Llama, so that other programs refuse it and compute nothing wrong.
  package static let ownKind = "forge"

  /// The `config.json` of this shape as a Llama.
  package var json: JSON {
    [
      "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
      "vocab_size": .integer(Int64(vocabulary)), "hidden_size": .integer(Int64(width)),
      "num_hidden_layers": .integer(Int64(layers)), "num_attention_heads": .integer(Int64(heads)),
      "num_key_value_heads": .integer(Int64(heads)), "head_dim": .integer(Int64(headWidth)),
      "intermediate_size": .integer(Int64(hidden)),
      "max_position_embeddings": .integer(Int64(context)),
      // The first is read by transformers up to version 4, the second since 5.
      "rope_theta": .number(Double(ropeBase)),
      "rope_parameters": ["rope_theta": .number(Double(ropeBase)), "rope_type": "default"],
      "rms_norm_eps": .number(Double(normEpsilon)),
      "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
      "torch_dtype": "float32", "bos_token_id": 256, "eos_token_id": 256,
      "forge": [
        "halts": .bool(halts), "quantizes_activations": .bool(quantizesActivations),
      ],
    ]
  }

  /// Reads a `config.json`.
  ///
  /// - Parameter fields: Of the file; every fault is noted there under its own name.
  package init(_ fields: inout Fields) {
    self.init(
      vocabulary: fields.integer("vocab_size", 257...65_536),
      width: fields.integer("hidden_size", 8...4096),
      layers: fields.integer("num_hidden_layers", 1...64),
      heads: fields.integer("num_attention_heads", 1...64),
      hidden: fields.integer("intermediate_size", 8...16_384),
      context: fields.integer("max_position_embeddings", 8...131_072)
    )
    context = min(context, 4096)
    ropeBase = Self.ropeBase(&fields)
    normEpsilon = Float(fields.number("rms_norm_eps", 0...0.1, default: 1e-5))
    _ = fields.choice("model_type", ["llama", Self.ownKind], default: "llama")
    _ = fields.choice("hidden_act", ["silu"], default: "silu")
    if let own = fields.optionalInteger("head_dim"), heads >= 1, own != width / heads {
      fields.refuse("head_dim", "must be hidden_size / num_attention_heads")
    }
    let groups = fields.integer("num_key_value_heads", 1...64, default: heads)
    if groups != heads {
      fields.refuse(
        "num_key_value_heads",
        "must equal num_attention_heads: grouped heads are not known"
      )
    }
    if !fields.bool("tie_word_embeddings", default: false) {
      fields.refuse("tie_word_embeddings", "must be true: a separate output matrix is not known")
    }
    if heads >= 1, width % (2 * heads) != 0 {
      fields.refuse("num_attention_heads", "must divide hidden_size into even parts")
    }
    if let own = fields.json("forge") {
      halts = own["halts"]?.asBool ?? false
      quantizesActivations = own["quantizes_activations"]?.asBool ?? false
    }
  }
  /// The base of the rotary positions, which transformers since version 5 writes into `rope_parameters`.
  private static func ropeBase(_ fields: inout Fields) -> Float {
    let range = 1...1e9
    var base = fields.number("rope_theta", range, default: 10_000)
    for name in ["rope_scaling", "rope_parameters"] {
      guard let rope = fields.json(name) else { continue }
      if rope.asMembers == nil || rope["rope_type"] ?? rope["type"] ?? "default" != "default" {
        fields.refuse(name, "must be of the type default: scaled positions are not known")
      }
      guard let own = rope["rope_theta"] else { continue }
      if let number = own.asNumber, range.contains(number) {
        base = number
      } else {
        fields.refuse("\(name).rope_theta", "must be a number of 1 to 1e9")
      }
    }
    return Float(base)
  }
}
