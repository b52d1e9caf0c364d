package import GatewayPlugin

/// The part of a model's shape that a request decides: all but the vocabulary, which the tokenizer gives.
package struct ModelSize: Sendable, Equatable {
  /// Sizes with a name; `original` is the width and depth that the first Cognate design had.
  private static let presets: KeyValuePairs<String, ModelSize> = [
    "tiny": ModelSize(width: 64, layers: 2, heads: 4, hidden: 172, context: 64),
    "small": ModelSize(width: 128, layers: 4, heads: 4, hidden: 344, context: 128),
    "medium": ModelSize(width: 256, layers: 6, heads: 8, hidden: 688, context: 256),
    "original": ModelSize(width: 216, layers: 11, heads: 4, hidden: 864, context: 512),
  ]

  package var width: Int
  package var layers: Int
  package var heads: Int
  package var hidden: Int
  package var context: Int

  /// Reads `size` and, over it, `width`, `layers`, `heads`, `hidden`, `context`.
  ///
  /// - Parameter fields: Of a request's `parameters`; every impossible size is noted.
  /// - Returns: The size.
  package static func read(_ fields: inout Fields) -> ModelSize {
    let name = fields.choice("size", presets.map(\.key), default: "small")
    var size = presets.first { $0.key == name }?.value ?? presets[1].value
    let hiddenWasDerived = fields.json("hidden") == nil
    size.width = fields.integer("width", 8...4096, default: size.width)
    if hiddenWasDerived, fields.json("width") != nil {
      // Two thirds of four times the width, as SwiGLU's authors count it, up to a multiple of 4.
      size.hidden = min((size.width * 8 / 3 + 3) / 4 * 4, 16_384)
    }
    size.layers = fields.integer("layers", 1...64, default: size.layers)
    size.heads = fields.integer("heads", 1...64, default: size.heads)
    size.hidden = fields.integer("hidden", 8...16_384, default: size.hidden)
    size.context = fields.integer("context", 8...4096, default: size.context)
    for fault in size.shape(vocabulary: 272).faults() {
      fields.refuse(fault.field, fault.reason)
    }
    return size
  }

  /// The shape with a vocabulary.
  package func shape(vocabulary: Int) -> ModelShape {
    ModelShape(
      vocabulary: vocabulary,
      width: width,
      layers: layers,
      heads: heads,
      hidden: hidden,
      context: context
    )
  }
}
