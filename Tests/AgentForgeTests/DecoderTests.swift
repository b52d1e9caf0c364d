import Testing

@testable import AgentForge

@Suite("Reading with kept keys and values")
struct DecoderTests {
  enum Kind: CaseIterable { case plain, halting, quantizing }

  static func model(_ kind: Kind, context: Int = 24) -> LanguageModel {
    TestModel.random(context: context) { shape in
      shape.halts = kind == .halting
      shape.quantizesActivations = kind == .quantizing
    }
  }

  /// The scores after each token, as training computes them.
  static func reference(_ model: LanguageModel, _ tokens: [Int32]) -> [[Float]] {
    let space = Workspace(model.shape, rows: 1, length: tokens.count)
    let transformer = Transformer(model.shape)
    transformer.forward(tokens, rows: 1, length: tokens.count, model.parameters, space)
    return tokens.indices.map { position in
      transformer.logits(position..<(position + 1), model.parameters, space)
      return Array(space.logits.array[..<model.shape.vocabulary])
    }
  }

  static func tokens(_ count: Int) -> [Int32] {
    var generator = Generator(seed: 9)
    return (0..<count).map { _ in Int32(generator.below(Special.end)) }
  }

  static func difference(_ one: [Float], _ other: [Float]) -> Float {
    zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test(
    "scores are those of training after every prefix, however it is split",
    arguments: Kind.allCases
  )
  func scoresAgreeForEverySplit(kind: Kind) {
    let model = Self.model(kind)
    let tokens = Self.tokens(13)
    let expected = Self.reference(model, tokens)
    let ready = RunnableModel(model)
    for split in 1...tokens.count {
      let decoder = Decoder(ready, capacity: tokens.count)
      decoder.read(Array(tokens[..<split]))
      #expect(Self.difference(decoder.logits.array, expected[split - 1]) < 1e-4)
      for position in split..<tokens.count {
        decoder.read([tokens[position]])
        #expect(
          Self.difference(decoder.logits.array, expected[position]) < 1e-4,
          "\(split), \(position)"
        )
      }
      #expect(decoder.count == tokens.count)
    }
  }

  @Test("a prompt of several chunks is read as one", arguments: [-1, 0, 1])
  func severalChunksAreOne(more: Int) {
    let count = 2 * Decoder.chunk + more
    let model = Self.model(.plain, context: count + 3)
    let tokens = Self.tokens(count + 3)
    let expected = Self.reference(model, tokens)
    let decoder = Decoder(RunnableModel(model), capacity: count + 3)
    decoder.read(Array(tokens[..<count]))
    #expect(Self.difference(decoder.logits.array, expected[count - 1]) < 1e-4)
    decoder.read(Array(tokens[count..<(count + 2)]))
    decoder.read([tokens[count + 2]])
    #expect(Self.difference(decoder.logits.array, expected[count + 2]) < 1e-4)
  }

  @Test("a cancelled prompt is not read to its end")
  func aCancelledPromptIsNotRead() {
    let model = RunnableModel(Self.model(.plain, context: 3 * Decoder.chunk))
    let decoder = Decoder(model, capacity: 3 * Decoder.chunk)
    #expect(!decoder.read(Self.tokens(3 * Decoder.chunk)) { true })
    #expect(decoder.count == Decoder.chunk)
  }
}
