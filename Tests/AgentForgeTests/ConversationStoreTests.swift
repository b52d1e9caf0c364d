import PluginStorage
import Testing

@testable import AgentForge

@Suite("Stored conversations")
struct ConversationStoreTests {
  static func store(
    _ database: TestDatabase,
    _ change: (inout ConversationStore.Bounds) -> Void = { _ in }
  ) -> ConversationStore {
    var bounds = ConversationStore.Bounds()
    change(&bounds)
    return ConversationStore(database.database, bounds: bounds)
  }

  static func said(_ text: String) -> [Turn] { [Turn(.user, text), Turn(.assistant, text + "!")] }

  @Test("turns come back in order, with what is known of them")
  func turnsComeBack() throws {
    let database = try TestDatabase()
    let store = Self.store(database)
    try store.append(Self.said("a"), tokens: 5, to: "c", owner: "ada", model: "m", now: 10)
    try store.append(Self.said("b\0 é"), tokens: 6, to: "c", owner: "ada", model: "n", now: 20)
    let turns = try store.turns(of: "c", owner: "ada", limit: 10)
    #expect(turns.map(\.turn) == Self.said("a") + Self.said("b\0 é"))
    #expect(turns.map(\.ordinal) == [0, 1, 2, 3] && turns.map(\.tokens) == [0, 5, 0, 6])
    #expect(turns.map(\.at) == [10, 10, 20, 20])
    #expect(try store.turns(of: "c", owner: "ada", limit: 2, offset: 1).map(\.ordinal) == [1, 2])
    let record = try #require(try store.find("c", owner: "ada"))
    #expect(
      record.turns == 4 && record.model == "n" && record.createdAt == 10 && record.updatedAt == 20
    )
  }

  @Test("the same id of another owner is another conversation")
  func ownersAreApart() throws {
    let database = try TestDatabase()
    let store = Self.store(database)
    try store.append(Self.said("a"), tokens: 1, to: "c", owner: "ada", model: "m")
    #expect(try store.find("c", owner: "bob") == nil)
    #expect(try store.turns(of: "c", owner: "bob", limit: 9).isEmpty)
    try store.append(Self.said("b"), tokens: 1, to: "c", owner: "bob", model: "m")
    #expect(try store.turns(of: "c", owner: "bob", limit: 9).map(\.turn) == Self.said("b"))
    #expect(try store.delete("c", owner: "bob"))
    #expect(try !store.delete("c", owner: "bob"))
    #expect(try store.turns(of: "c", owner: "ada", limit: 9).count == 2)
  }

  @Test("pages are of the last used first")
  func pages() throws {
    let database = try TestDatabase()
    let store = Self.store(database)
    for (time, id) in ["a", "b", "c", "a"].enumerated() {
      try store.append(
        Self.said("x"),
        tokens: 1,
        to: id,
        owner: "ada",
        model: "m",
        now: Int64(time)
      )
    }
    let page = try store.list(owner: "ada", limit: 2, offset: 0)
    #expect(page.total == 3 && page.conversations.map(\.id) == ["a", "c"])
    #expect(try store.list(owner: "ada", limit: 2, offset: 2).conversations.map(\.id) == ["b"])
    #expect(try store.list(owner: "bob", limit: 2, offset: 0).total == 0)
  }

  @Test("beyond the bound the oldest turns go, and ordinals go on")
  func oldTurnsGo() throws {
    let database = try TestDatabase()
    let store = Self.store(database) { $0.turns = 4 }
    for text in ["a", "b"] {
      try store.append(Self.said(text), tokens: 1, to: "c", owner: "ada", model: "m")
    }
    #expect(try store.turns(of: "c", owner: "ada", limit: 9).map(\.ordinal) == [0, 1, 2, 3])
    try store.append(Self.said("c"), tokens: 1, to: "c", owner: "ada", model: "m")
    #expect(try store.turns(of: "c", owner: "ada", limit: 9).map(\.ordinal) == [2, 3, 4, 5])
    #expect(try store.find("c", owner: "ada")?.turns == 4)
  }

  @Test(
    "beyond the bound the conversation that was not used for the longest time goes, of that owner alone"
  )
  func oldConversationsGo() throws {
    let database = try TestDatabase()
    let store = Self.store(database) { $0.conversations = 2 }
    try store.append(Self.said("x"), tokens: 1, to: "z", owner: "bob", model: "m", now: 0)
    for (time, id) in ["a", "b", "a"].enumerated() {
      try store.append(
        Self.said("x"),
        tokens: 1,
        to: id,
        owner: "ada",
        model: "m",
        now: Int64(time)
      )
    }
    #expect(try store.list(owner: "ada", limit: 9, offset: 0).total == 2)
    try store.append(Self.said("x"), tokens: 1, to: "c", owner: "ada", model: "m", now: 9)
    #expect(
      try store.list(owner: "ada", limit: 9, offset: 0).conversations.map(\.id) == ["c", "a"]
    )
    #expect(try store.turns(of: "b", owner: "ada", limit: 9).isEmpty)
    #expect(try store.find("z", owner: "bob") != nil)
  }
}
