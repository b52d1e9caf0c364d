import Glibc
import Synchronization
import Testing

@testable import AgentForge

/// Runs `count` closures on threads of their own and waits for all.
func together(_ count: Int, _ work: @escaping @Sendable (Int) -> Void) {
  final class Box: Sendable {
    let index: Int
    let work: @Sendable (Int) -> Void
    init(_ index: Int, _ work: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.work = work
    }
  }
  var threads: [pthread_t] = []
  for index in 0..<count {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(index, work)).toOpaque()
    pthread_create(
      &thread,
      nil,
      { raw in
        guard let raw else { return nil }
        let box = Unmanaged<Box>.fromOpaque(raw).takeRetainedValue()
        box.work(box.index)
        return nil
      },
      box
    )
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
}

@Suite("Models kept in memory")
struct ModelCacheTests {
  static let model = TestModel.random(context: 8)
  static let bytes = RunnableModel(model).bytes

  static func source(
    _ ids: String...,
    onLoad: @escaping @Sendable (String) throws -> Void = { _ in }
  ) -> TestSource {
    TestSource(Dictionary(uniqueKeysWithValues: ids.map { ($0, model) }), onLoad: onLoad)
  }

  @Test("a model is read once, and is nobody else's")
  func readOnce() throws {
    let source = Self.source("ada/a")
    let cache = ModelCache(source, capacity: 10 * Self.bytes)
    let first = try cache.model("a", owner: "ada")
    #expect(try first != nil && cache.model("a", owner: "ada") === first)
    #expect(try cache.model("a", owner: "bob") == nil && cache.model("b", owner: "ada") == nil)
    #expect(source.readCount("ada/a") == 1 && cache.bytes == Self.bytes)
  }

  @Test("the model that was not used for the longest time makes room, at the byte")
  func leastRecentlyUsedGoes() throws {
    let source = Self.source("ada/a", "ada/b", "ada/c")
    let cache = ModelCache(source, capacity: 2 * Self.bytes)
    for id in ["a", "b", "a", "c", "a", "b"] { _ = try cache.model(id, owner: "ada") }
    // c took the place of b, and b that of c.
    #expect(
      source.readCount("ada/a") == 1 && source.readCount("ada/b") == 2
        && source.readCount("ada/c") == 1
    )
    #expect(cache.bytes == 2 * Self.bytes)
    let narrow = ModelCache(source, capacity: 2 * Self.bytes - 1)
    for id in ["a", "b"] { _ = try narrow.model(id, owner: "ada") }
    #expect(narrow.bytes == Self.bytes)
  }

  @Test("a model larger than the bound answers, and is not kept")
  func tooLargeIsNotKept() throws {
    let source = Self.source("ada/a")
    let cache = ModelCache(source, capacity: Self.bytes - 1)
    for _ in 0..<2 { #expect(try cache.model("a", owner: "ada") != nil) }
    #expect(source.readCount("ada/a") == 2 && cache.bytes == 0)
  }

  @Test("a deleted model is let go of, for every owner")
  func forgetting() throws {
    let source = Self.source("ada/a", "bob/a", "ada/b")
    let cache = ModelCache(source, capacity: 10 * Self.bytes)
    for (id, owner) in [("a", "ada"), ("a", "bob"), ("b", "ada")] {
      _ = try cache.model(id, owner: owner)
    }
    cache.forget("a")
    #expect(cache.bytes == Self.bytes)
    _ = try cache.model("a", owner: "ada")
    _ = try cache.model("b", owner: "ada")
    #expect(source.readCount("ada/a") == 2 && source.readCount("ada/b") == 1)
  }

  @Test("a model that could not be read is read again for the next who asks")
  func failuresAreNotKept() throws {
    let isBroken = Atomic<Bool>(true)
    let source = Self.source("ada/a") { _ in
      if isBroken.exchange(false, ordering: .relaxed) { throw TestSource.Missing() }
    }
    let cache = ModelCache(source, capacity: 10 * Self.bytes)
    #expect(throws: TestSource.Missing.self) { try cache.model("a", owner: "ada") }
    #expect(try cache.model("a", owner: "ada") != nil && cache.bytes == Self.bytes)
  }

  @Test("many who ask at once get one model, read once")
  func manyAsk() {
    let source = Self.source("ada/a", "ada/b")
    let cache = ModelCache(source, capacity: 10 * Self.bytes)
    let found = Mutex<[ObjectIdentifier]>([])
    together(8) { index in
      let model = try? cache.model(index % 2 == 0 ? "a" : "b", owner: "ada")
      if let model { found.withLock { $0.append(ObjectIdentifier(model)) } }
    }
    #expect(found.withLock { $0.count == 8 && Set($0).count == 2 })
    #expect(source.readCount("ada/a") == 1 && source.readCount("ada/b") == 1)
  }

  @Test("nobody waits for a model that another reads")
  func readingBlocksNobodyElse() {
    let reading = Mutex<ModelCache?>(nil)
    let inner = Atomic<Int>(0)
    let source = Self.source("ada/slow", "ada/b") { id in
      guard id == "slow", let cache = reading.withLock({ $0 }) else { return }
      // While slow is being read, another is asked for and one is let go of.
      cache.forget("slow")
      if try cache.model("b", owner: "ada") != nil { inner.add(1, ordering: .relaxed) }
    }
    let cache = ModelCache(source, capacity: 10 * Self.bytes)
    reading.withLock { $0 = cache }
    #expect((try? cache.model("slow", owner: "ada")) != nil)
    // Forgotten while it was read: it answers this once, and is not kept.
    #expect(inner.load(ordering: .relaxed) == 1 && cache.bytes == Self.bytes)
    reading.withLock { $0 = nil }
  }
}
