/// What a phase learns from and measures on: the caller's files, or the corpus that is generated here.
package struct TrainingData: Sendable {
  /// Bytes of text that one generated corpus has.
  static let corpusBytes = 1 << 20
  /// Picks what of the caller's documents is held out: the same in every run, for a model's next phase must not be
  /// measured on what it learnt in the one before.
  private static let splitSeed: UInt64 = 1

  /// To train on.
  package let documents: [Document]
  /// Never trained on; from another part of the same kind of text.
  package let heldOut: [Document]
  /// SHA-256 of all of it.
  package let fingerprint: String
  /// Whether any of it is a dialogue.
  package let template: LanguageModel.Template

  /// The caller's documents, whole: what is held out is split off as tokens, by `Dataset`.
  package init(_ documents: [Document]) {
    self.documents = documents
    heldOut = []
    fingerprint = Dataset.fingerprint(of: documents)
    let hasDialogue = documents.contains { if case .dialogue = $0 { true } else { false } }
    template = hasDialogue ? .dialogue : .plain
  }

  /// A generated corpus.
  ///
  /// - Parameters:
  ///   - seed: Decides it.
  ///   - focus: What there is more of in the part to train on; the held-out part is always mixed.
  package init(seed: UInt64, focus: Corpus.Focus) {
    let all = Corpus.documents(seed: seed, bytes: Self.corpusBytes, focus: focus)
    let mixed =
      focus == .mixed
      ? all : Corpus.documents(seed: seed, bytes: Self.corpusBytes, focus: .mixed)
    documents = all.filter { !Self.isHeldOut($0) }
    heldOut = mixed.filter(Self.isHeldOut)
    fingerprint = Dataset.fingerprint(of: documents + heldOut)
    template = .dialogue
  }

  /// Whether a generated document is never trained on: one in 16 is, by its bytes (FNV-1a) and whatever the seed, so
  /// that no phase measures a model on what another phase taught it.
  static func isHeldOut(_ document: Document) -> Bool {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in document.texts.joined() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return hash >> 60 == 0
  }

  /// The caller's documents, or else the generated corpus.
  package init(_ context: any PhaseContext, seed: UInt64, focus: Corpus.Focus = .mixed) throws {
    if let documents = try context.documents() {
      self.init(documents)
    } else {
      self.init(seed: seed, focus: focus)
    }
  }

  /// As tokens, with held-out batches.
  ///
  /// - Parameters:
  ///   - tokenizer: Encodes it.
  ///   - fraction: Of the caller's text to hold out; a generated corpus has its own part.
  ///   - settings: Rows and length of the batches.
  /// - Returns: What to draw from, and at most 16 batches to measure on.
  /// - Throws: `DataError` when there is too little.
  package func tokens(
    _ tokenizer: Tokenizer,
    fraction: Double,
    _ settings: TrainSettings
  ) throws -> (dataset: Dataset, validation: [Batch]) {
    func dataset(_ documents: [Document], _ fraction: Double) throws -> Dataset {
      try Dataset(
        documents: documents,
        tokenizer: tokenizer,
        validationFraction: fraction,
        seed: Self.splitSeed,
        context: settings.length
      )
    }
    let rows = max(settings.batchSize, settings.shards)
    func batches(_ dataset: Dataset) -> [Batch] {
      dataset.validationBatches(rows: min(rows, 16), length: settings.length, limit: 16)
    }
    if heldOut.isEmpty {
      let all = try dataset(documents, fraction)
      return (all, batches(all))
    }
    return (try dataset(documents, 0.01), batches(try dataset(heldOut, 0.5)))
  }

  /// A tokenizer for it.
  ///
  /// - Parameter vocabulary: Of the tokenizer; the bytes and specials alone when it is no larger than theirs.
  /// - Returns: The tokenizer.
  package func tokenizer(vocabulary: Int) -> Tokenizer {
    guard vocabulary > Tokenizer.bytes.vocabulary else { return .bytes }
    return BPETrainer.train(on: documents.flatMap(\.texts), vocabulary: vocabulary)
  }
}
