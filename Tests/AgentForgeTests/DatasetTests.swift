import GatewayPlugin
import Testing

@testable import AgentForge

@Suite("Data to train on")
struct DatasetTests {
  /// Documents of one letter each, so that a token tells which document it is of.
  static func lettered(_ count: Int, length: Int = 10) -> [Document] {
    (0..<count).map { .plain([UInt8](repeating: UInt8(33 + $0), count: length)) }
  }

  static func dataset(_ documents: [Document], fraction: Double = 0.2, context: Int = 8) throws
    -> Dataset
  {
    try Dataset(
      documents: documents,
      tokenizer: .bytes,
      validationFraction: fraction,
      seed: 1,
      context: context
    )
  }

  @Test("from 20 documents on whole ones are held out, never in both parts")
  func wholeDocumentsAreHeldOut() throws {
    let data = try Self.dataset(Self.lettered(20))
    let trained = Set(data.training).subtracting([256])
    let held = Set(data.validation).subtracting([256])
    #expect(trained.isDisjoint(with: held))
    #expect(trained.union(held).count == 20)
    #expect(held.count == 4)
    #expect(data.trainingTokens + data.validation.count == 20 * 11)
  }

  @Test("of fewer documents the end is held out")
  func ofFewerDocumentsTheEndIsHeldOut() throws {
    let documents = Self.lettered(19)
    let data = try Self.dataset(documents)
    let all: [Int32] = documents.flatMap { $0.marked(.bytes).tokens + [256] }
    #expect(data.training + data.validation == all)
    #expect(data.validation.count == all.count / 5)
  }

  @Test("documents larger than the part to hold out leave the end to be held out")
  func largeDocumentsAreCut() throws {
    let data = try Self.dataset(Self.lettered(20, length: 100), fraction: 0.01)
    #expect(data.validation.count == 20)
    #expect(data.trainingTokens == 2000)
  }

  @Test("another seed holds out other documents")
  func anotherSeedHoldsOutOthers() throws {
    let documents = Self.lettered(40)
    func held(_ seed: UInt64) throws -> [Int32] {
      try Dataset(
        documents: documents,
        tokenizer: .bytes,
        validationFraction: 0.2,
        seed: seed,
        context: 8
      ).validation
    }
    #expect(try held(1) == held(1))
    #expect(try held(1) != held(2))
  }

  @Test("fewer tokens than two contexts are refused, at the edge they are not")
  func tooLittleIsRefused() throws {
    // A context of 8 needs 18 tokens, of which the end of the text is one.
    #expect(throws: DataError.tooSmall(tokens: 17, needed: 18)) {
      try Self.dataset(Self.lettered(1, length: 16))
    }
    let data = try Self.dataset(Self.lettered(1, length: 17), fraction: 0.5)
    #expect(data.trainingTokens == 9)
    #expect(data.validation.count == 9)
    #expect(throws: DataError.tooSmall(tokens: 0, needed: 18)) { try Self.dataset([]) }
  }

  @Test("the fingerprint is of the documents, and each difference changes it")
  func theFingerprintIsOfTheDocuments() {
    let lists: [[Document]] = [
      [], [.plain([])], [.plain([97])], [.plain([97]), .plain([])], [.plain([]), .plain([97])],
      [.dialogue([])], [.dialogue([Turn(.user, "a")])], [.dialogue([Turn(.assistant, "a")])],
      [.dialogue([Turn(.user, "a"), Turn(.user, "")])],
      [.dialogue([Turn(.user, "a")]), .dialogue([])],
    ]
    let prints = lists.map(Dataset.fingerprint)
    #expect(Set(prints).count == lists.count)
    #expect(prints.allSatisfy { $0.count == 64 })
    #expect(prints == lists.map(Dataset.fingerprint))
  }
}

@Suite("Batches")
struct BatchTests {
  @Test("a random window is a piece of the training tokens with what follows")
  func aWindowIsAPiece() throws {
    let bytes = (0..<200).map { UInt8($0) }
    let data = try DatasetTests.dataset([.plain(bytes)])
    var source = RandomWindows(data, seed: 5)
    var starts: Set<Int32> = []
    for _ in 0..<300 {
      let batch = source.next(rows: 3, length: 7)
      #expect(batch.tokens.count == 21)
      for row in 0..<3 {
        let first = batch.tokens[row * 7]
        starts.insert(first)
        #expect(batch.tokens[row * 7..<row * 7 + 7] == ArraySlice(first..<first + 7))
        #expect(batch.targets[row * 7..<row * 7 + 7] == ArraySlice(first + 1..<first + 8))
      }
    }
    // 161 training tokens, the last window begins at 153.
    #expect(data.trainingTokens == 161)
    #expect(starts.min() == 0)
    #expect(starts.max() == 153)
  }

  @Test("a restored source goes on with the same batches")
  func aRestoredSourceGoesOn() throws {
    let data = try DatasetTests.dataset(DatasetTests.lettered(30))
    var one = RandomWindows(data, seed: 5)
    _ = one.next(rows: 2, length: 8)
    let state = try JSON.parse(one.state.bytes)
    var other = RandomWindows(data, seed: 99)
    try other.restore(state)
    for _ in 0..<5 { #expect(one.next(rows: 2, length: 8) == other.next(rows: 2, length: 8)) }
  }

  @Test("a state of other data or none at all is refused")
  func aForeignStateIsRefused() throws {
    let data = try DatasetTests.dataset(DatasetTests.lettered(30))
    var source = RandomWindows(data, seed: 5)
    let other = RandomWindows(try DatasetTests.dataset(DatasetTests.lettered(31)), seed: 5)
    let print = JSON.string(data.fingerprint)
    let states: [JSON] = [
      other.state, nil, [:], ["data": print], ["data": print, "generator": [1, 2, 3]],
      ["data": print, "generator": [0, 0, 0, 0]], ["data": print, "generator": [1, 2, 3, "4"]],
    ]
    let before = source.state
    for state in states { #expect(throws: DataError.self) { try source.restore(state) } }
    #expect(source.state == before)
  }

  @Test("validation batches hold every held-out token once, in order")
  func validationBatchesHoldEverything() throws {
    let data = try DatasetTests.dataset([.plain((0..<200).map { UInt8($0) })])
    let batches = data.validationBatches(rows: 2, length: 7, limit: 100)
    let tokens = batches.flatMap(\.tokens)
    #expect(Array(tokens.prefix(40)) == data.validation)
    #expect(batches.reduce(0) { $0 + $1.targetCount } == data.validation.count - 1)
    #expect(batches.map(\.rows) == [2, 2, 2])
    #expect(batches == data.validationBatches(rows: 2, length: 7, limit: 100))
  }

  @Test("fewer batches are taken at even distances")
  func fewerBatchesAreSpread() throws {
    let data = try DatasetTests.dataset([.plain((0..<200).map { UInt8($0) })])
    let batches = data.validationBatches(rows: 1, length: 7, limit: 2)
    #expect(batches.map { $0.tokens[0] } == [161, 182])
  }

  @Test("a window longer than the data is filled up without targets")
  func aLongWindowIsFilledUp() throws {
    let data = try DatasetTests.dataset(DatasetTests.lettered(1, length: 17), fraction: 0.5)
    let batch = try #require(data.validationBatches(rows: 4, length: 12, limit: 1).first)
    #expect(batch.tokens == data.validation + [256, 256, 256])
    #expect(batch.targetCount == 8)
    var source = RandomWindows(data, seed: 1)
    #expect(source.next(rows: 1, length: 12).tokens == data.training + [256, 256, 256])
  }
}
