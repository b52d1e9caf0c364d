import Testing

@testable import AgentForge

@Suite("Choosing a token")
struct SamplerTests {
  /// Scores of a vocabulary of `Special.end`: very low but for those given.
  static func scores(_ given: [Int: Float]) -> Floats {
    let logits = Floats(Special.end)
    for index in 0..<Special.end { logits[index] = given[index] ?? -30 }
    return logits
  }

  static func sampler(_ change: (inout Sampling) -> Void) -> Sampler {
    var sampling = Sampling()
    sampling.seed = 7
    change(&sampling)
    return Sampler(sampling, vocabulary: Special.end)
  }

  /// How often each token is drawn in `count` draws.
  static func frequencies(_ logits: Floats, _ count: Int, _ change: (inout Sampling) -> Void) throws
    -> [Int32: Double]
  {
    var sampler = sampler(change)
    var found: [Int32: Double] = [:]
    for _ in 0..<count { found[try sampler.choose(logits).token, default: 0] += 1 / Double(count) }
    return found
  }

  // Probabilities 0.5, 0.3, 0.2 at temperature 1.
  static let three = scores([65: -0.693_147, 66: -1.203_973, 67: -1.609_438])

  @Test("temperature 0 takes the likeliest, the first of equals, whatever the seed")
  func temperatureZeroIsGreedy() throws {
    for seed in 0..<5 as Range<UInt64> {
      var sampler = Self.sampler {
        $0.temperature = 0; $0.seed = seed
      }
      #expect(try sampler.choose(Self.three).token == 65)
      #expect(try sampler.choose(Self.scores([70: 2, 71: 2])).token == 70)
    }
  }

  @Test("tokens are drawn as often as their probabilities say")
  func drawsFollowTheProbabilities() throws {
    let found = try Self.frequencies(Self.three, 1000) { $0.temperature = 1 }
    // Four standard deviations of 1000 draws are at most 0.064.
    for (token, share) in [65: 0.5, 66: 0.3, 67: 0.2] as [Int32: Double] {
      #expect(abs((found[token] ?? 0) - share) < 0.064)
    }
  }

  @Test("a high temperature evens out, a low one sharpens")
  func temperatureShapes() throws {
    // At temperature 2 the shares go as the roots: 0.415, 0.322, 0.263.
    let warm = try Self.frequencies(Self.three, 1000) { $0.temperature = 2 }
    #expect(abs((warm[65] ?? 0) - 0.415) < 0.064 && abs((warm[67] ?? 0) - 0.263) < 0.064)
    let cold = try Self.frequencies(Self.three, 1000) { $0.temperature = 0.01 }
    #expect(cold == [65: cold[65] ?? 0])
  }

  @Test(
    "top_k keeps so many of the likeliest",
    arguments: [(1, 1), (2, 2), (3, 3), (0, 3), (1000, 3)]
  )
  func topKKeepsTheLikeliest(k: Int, count: Int) throws {
    let found = try Self.frequencies(Self.three, 200) {
      $0.temperature = 1; $0.topK = k
    }
    #expect(Set(found.keys) == Set([65, 66, 67].prefix(count)))
    let shared = try Self.frequencies(Self.three, 1000) {
      $0.temperature = 1; $0.topK = 2
    }
    #expect(abs((shared[65] ?? 0) - 0.625) < 0.064)
  }

  @Test(
    "top_p keeps the fewest that reach it",
    arguments: [(0.0, 1), (0.49, 1), (0.51, 2), (0.79, 2), (0.81, 3), (1.0, 3)]
  )
  func topPKeepsTheNucleus(p: Double, count: Int) throws {
    let found = try Self.frequencies(Self.three, 200) {
      $0.temperature = 1; $0.topP = p
    }
    #expect(Set(found.keys) == Set([65, 66, 67].prefix(count)))
  }

  @Test("top_k finds the likeliest among many, in whatever order they stand")
  func topKAmongMany() throws {
    var generator = Generator(seed: 11)
    for k in [1, 2, 17, 100, 200] {
      let logits = Floats(Special.end)
      // Few values, so that many are equal.
      for index in 0..<Special.end { logits[index] = Float(generator.below(40)) / 40 }
      let order = (0..<Special.bytes).sorted { (-logits[$0], $0) < (-logits[$1], $1) }
      var sampling = Sampling()
      sampling.temperature = 2
      sampling.topK = k
      sampling.seed = 3
      var sampler = Sampler(sampling, vocabulary: Special.end, allowed: [])
      let drawn = try (0..<100).map { _ in Int(try sampler.choose(logits).token) }
      #expect(Set(drawn).isSubset(of: order.prefix(k)), "\(k)")
      #expect(k > 2 || Set(drawn) == Set(order.prefix(k)))
    }
  }

  @Test("the same seed draws the same, another one something else")
  func seedsDecide() throws {
    let flat = Floats(Special.end)
    func draw(_ seed: UInt64?) throws -> [Int32] {
      var sampler = Self.sampler { $0.seed = seed }
      return try (0..<20).map { _ in try sampler.choose(flat).token }
    }
    #expect(try draw(1) == draw(1))
    #expect(try draw(1) != draw(2))
    #expect(try draw(nil) != draw(nil))
  }

  @Test("specials are never drawn but the two that end a text")
  func specialsAreNotDrawn() throws {
    var given: [Int: Float] = [65: 0]
    for special in Special.allCases { given[Int(special.id)] = 5 }
    let found = try Self.frequencies(Self.scores(given), 200) { $0.temperature = 1 }
    #expect(Set(found.keys).isSubset(of: [65, Special.endOfText.id, Special.endOfTurn.id]))
    var sampler = Sampler(Sampling(), vocabulary: Special.end, allowed: [.toolCall])
    #expect(
      try sampler.choose(Self.scores([Int(Special.toolCall.id): 40])).token == Special.toolCall.id
    )
  }

  @Test("what stood before becomes less likely by the penalty, below and above zero")
  func repetitionIsPenalized() throws {
    var sampler = Self.sampler {
      $0.temperature = 0; $0.repetitionPenalty = 2
    }
    sampler.note([65, 70])
    #expect(try sampler.choose(Self.scores([65: 3, 66: 2])).token == 66)
    // 66 was drawn, so that it counts half too.
    #expect(try sampler.choose(Self.scores([66: 3, 67: 2])).token == 67)
    #expect(try sampler.choose(Self.scores([70: -1, 71: -1.5])).token == 71)
  }

  @Test("the probability is the model's own, whatever is made of it")
  func probabilityIsTheModels() throws {
    for temperature in [0, 0.5, 2.0] {
      var sampler = Self.sampler {
        $0.temperature = temperature; $0.topK = 1; $0.topP = 0.5
      }
      #expect(abs(try sampler.choose(Self.three).probability - 0.5) < 1e-4)
    }
  }

  @Test(
    "a score that is no finite number is an error that names the token",
    arguments: [Float.nan, .infinity, -.infinity]
  )
  func scoresMustBeFinite(bad: Float) {
    var sampler = Self.sampler { _ in }
    #expect(throws: SamplerError.notFinite(token: 99)) {
      try sampler.choose(Self.scores([99: bad]))
    }
  }

  @Test("scores far apart or huge lose nobody")
  func extremeScoresWork() throws {
    var sampler = Self.sampler {
      $0.temperature = 1e-6; $0.topP = 0.9
    }
    #expect(try sampler.choose(Self.scores([65: 3e38, 66: -3e38])).token == 65)
  }
}
