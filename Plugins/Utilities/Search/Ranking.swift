/// How well passages answer a question: what BM25 says, and what it cannot see.
///
/// relevance = 0.40 BM25 + 0.30 coverage + 0.12 proximity + 0.10 phrase + 0.08 heading, each part in 0...1.
struct Ranking {
  /// A word looked for, with its weight.
  struct Weighted {
    var term: Terms.Term
    /// Inverse document frequency among the owner's passages.
    var weight: Double
  }

  /// What one passage is worth, and why.
  struct Score {
    var relevance: Double
    /// Share of the question's weight that the passage, or a heading over it, holds.
    var coverage: Double
    /// Places in the question's terms that it holds.
    var held: Set<Int>
    /// Share of the added words' weight that it holds.
    var addedCoverage: Double
    var proximity: Double
  }

  private static let saturation = 1.2
  private static let lengthShare = 0.75
  private static let averageWords = 120.0
  private static let headingWeight = 1.5
  private static let addedWeight = 0.3

  let asked: [Weighted]
  let added: [Weighted]
  let phrases: [[String]]
  let matchesBeginnings: Bool
  private let askedByStem: [String: Int]
  private let addedByStem: [String: Int]

  init(asked: [Weighted], added: [Weighted], phrases: [[Terms.Term]], matchesBeginnings: Bool) {
    self.asked = asked
    self.added = added
    self.phrases = phrases.map { $0.map(\.stem) }
    self.matchesBeginnings = matchesBeginnings
    askedByStem = Self.places(asked)
    addedByStem = Self.places(added)
  }

  private static func places(_ terms: [Weighted]) -> [String: Int] {
    Dictionary(
      terms.enumerated().map { ($1.term.stem, $0) },
      uniquingKeysWith: { first, _ in first }
    )
  }

  var askedWeight: Double { asked.reduce(0) { $0 + $1.weight } }

  /// The place of `stem` among the words asked for, if it is one.
  func place(of stem: String) -> Int? {
    if let place = askedByStem[stem] { return place }
    guard matchesBeginnings else { return nil }
    return asked.firstIndex { $0.term.stem.utf8.count >= 4 && stem.hasPrefix($0.term.stem) }
  }

  func score(heading: String, body: String) -> Score {
    let stems = Terms.stems(in: body)
    let headingStems = Terms.stems(in: heading)
    var counts = [Double](repeating: 0, count: asked.count)
    var addedCounts = [Double](repeating: 0, count: added.count)
    var positions: [(place: Int, at: Int)] = []
    for (at, stem) in stems.enumerated() {
      if let place = place(of: stem) {
        counts[place] += 1
        positions.append((place, at))
      } else if let place = addedByStem[stem] {
        addedCounts[place] += 1
      }
    }
    var inHeading: Set<Int> = []
    for stem in headingStems {
      if let place = place(of: stem), inHeading.insert(place).inserted {
        counts[place] += Self.headingWeight
      }
    }
    let total = max(askedWeight, .leastNormalMagnitude)
    let length = 1 - Self.lengthShare + Self.lengthShare * Double(stems.count) / Self.averageWords
    var bm25 = 0.0
    for (place, count) in counts.enumerated() where count > 0 {
      bm25 += asked[place].weight * saturated(count, length)
    }
    for (place, count) in addedCounts.enumerated() where count > 0 {
      bm25 += Self.addedWeight * added[place].weight * saturated(count, length)
    }
    let held = Set(counts.indices.filter { counts[$0] > 0 })
    let coverage = weight(of: held) / total
    let proximity = Self.proximity(positions)
    let phrase = phraseShare(stems, headingStems)
    let relevance =
      0.40 * min(1, bm25 / (total * 1.6)) + 0.30 * coverage + 0.12 * proximity + 0.10 * phrase
      + 0.08 * weight(of: inHeading) / total
    let addedTotal = added.reduce(0) { $0 + $1.weight }
    let addedHeld = addedCounts.indices.reduce(0.0) {
      $0 + (addedCounts[$1] > 0 ? added[$1].weight : 0)
    }
    return Score(
      relevance: relevance,
      coverage: coverage,
      held: held,
      addedCoverage: addedTotal > 0 ? addedHeld / addedTotal : 0,
      proximity: proximity
    )
  }

  func weight(of places: Set<Int>) -> Double { places.reduce(0) { $0 + asked[$1].weight } }

  private func saturated(_ count: Double, _ length: Double) -> Double {
    count * (Self.saturation + 1) / (count + Self.saturation * length)
  }

  /// How close together the words stand: their number over the length of the shortest run with all.
  private static func proximity(_ positions: [(place: Int, at: Int)]) -> Double {
    let distinct = Set(positions.map(\.place)).count
    guard distinct > 1 else { return 0 }
    var inWindow: [Int: Int] = [:]
    var first = 0
    var shortest = Int.max
    for last in positions.indices {
      inWindow[positions[last].place, default: 0] += 1
      while inWindow.count == distinct {
        shortest = min(shortest, positions[last].at - positions[first].at + 1)
        let place = positions[first].place
        let left = (inWindow[place] ?? 1) - 1
        inWindow[place] = left == 0 ? nil : left
        first += 1
      }
    }
    return Double(distinct) / Double(max(shortest, distinct))
  }

  /// The share of quoted phrases that stand there; without any, of the question's neighbouring words.
  private func phraseShare(_ stems: [String], _ heading: [String]) -> Double {
    if !phrases.isEmpty {
      let found = phrases.filter { Self.contains(stems, $0) || Self.contains(heading, $0) }
      return Double(found.count) / Double(phrases.count)
    }
    guard asked.count > 1 else { return 0 }
    let pairs = (1..<asked.count).map { [asked[$0 - 1].term.stem, asked[$0].term.stem] }
    return Double(pairs.filter { Self.contains(stems, $0) }.count) / Double(pairs.count)
  }

  private static func contains(_ stems: [String], _ phrase: [String]) -> Bool {
    guard let first = phrase.first, stems.count >= phrase.count else { return false }
    return (0...(stems.count - phrase.count)).contains { start in
      stems[start] == first && stems[start..<(start + phrase.count)].elementsEqual(phrase)
    }
  }
}
