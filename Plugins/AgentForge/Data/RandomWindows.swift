package import GatewayPlugin

/// Batches of windows that begin anywhere in the training tokens, each place as likely.
package struct RandomWindows: BatchSource {
  private let dataset: Dataset
  private var generator: Generator

  /// Windows of `dataset.training`; the same seed draws the same.
  package init(_ dataset: Dataset, seed: UInt64) {
    self.dataset = dataset
    generator = Generator(seed: seed, stream: 0x57494E)
  }

  package mutating func next(rows: Int, length: Int) -> Batch {
    // The last token of the last window still has one after it.
    let places = max(1, dataset.training.count - length)
    let starts = (0..<rows).map { _ in generator.below(places) }
    return Batch(windowsOf: dataset.training, at: starts, length: length)
  }

  package var state: JSON {
    [
      "data": .string(dataset.fingerprint),
      "generator": .array(generator.state.map { .integer(Int64(bitPattern: $0)) }),
    ]
  }

  package mutating func restore(_ state: JSON) throws {
    guard state["data"]?.asString == dataset.fingerprint else {
      throw DataError.badState("it belongs to other documents")
    }
    let words = state["generator"]?.asArray?.compactMap(\.asInteger) ?? []
    guard let generator = Generator(state: words.map { UInt64(bitPattern: $0) }) else {
      throw DataError.badState("`generator` is not four words, one of them other than 0")
    }
    self.generator = generator
  }
}

extension Dataset {
  /// What is held out, as batches, always the same ones in the same order.
  ///
  /// Windows follow each other without overlap. Where they are more than `rows * limit`, as many are taken at even
  /// distances.
  ///
  /// - Parameters:
  ///   - rows: Windows a batch, at least 1; the last batch may have fewer.
  ///   - length: Tokens a window, at least 1.
  ///   - limit: The most batches, at least 1.
  /// - Returns: At least one batch.
  package func validationBatches(rows: Int, length: Int, limit: Int) -> [Batch] {
    precondition(rows > 0 && length > 0 && limit > 0, "\(limit) batches of \(rows) x \(length)")
    // The last token has nothing after it, so it alone makes no window.
    let windows = max(1, (validation.count - 1 + length - 1) / length)
    let used = min(windows, rows * limit)
    let starts = (0..<used).map { $0 * windows / used * length }
    return stride(from: 0, to: used, by: rows).map { first in
      Batch(
        windowsOf: validation,
        at: Array(starts[first..<min(first + rows, used)]),
        length: length
      )
    }
  }
}
