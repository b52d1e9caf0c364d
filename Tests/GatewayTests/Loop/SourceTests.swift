import Testing

@testable import Gateway

/// A source with a name that counts nothing and does nothing.
private final class Named: Source {
  let name: String
  init(_ name: String) { self.name = name }
}

@Suite("Sources of a loop")
struct SourceTests {
  /// Names of what expires at `now`, in order.
  private func expired(_ sources: inout Sources, at now: Int64) -> [String] {
    var names: [String] = []
    while let source = sources.popExpired(now: now) {
      names.append((source as? Named)?.name ?? "?")
    }
    return names
  }

  @Test func `a slot is reused with another generation, and the old token finds nobody`() {
    var sources = Sources()
    let first = Named("first")
    sources.add(first)
    let old = first.token
    #expect(sources[old] === first)
    sources.remove(first)
    #expect(sources[old] == nil)
    #expect(sources.count == 0)
    let second = Named("second")
    sources.add(second)
    #expect(second.slot == first.slot)
    #expect(second.token != old)
    #expect(sources[old] == nil)
    #expect(sources[second.token] === second)
    #expect(sources.slotCount == 1)
  }

  @Test func `tokens of no source find nobody`() {
    var sources = Sources()
    #expect(sources[0] == nil)
    #expect(sources[.max] == nil)
    #expect(sources[slot: 0] == nil)
    sources.add(Named("one"))
    #expect(sources[1] == nil)
    #expect(sources[1 << 32] == nil)
    #expect(sources[slot: 1] == nil)
  }

  @Test func `expire in order of time, at their time and not before`() {
    var sources = Sources()
    for (name, time) in [("late", 30), ("soon", 10), ("next", 20)] as [(String, Int64)] {
      let source = Named(name)
      sources.add(source)
      sources.setDeadline(source, at: time)
    }
    #expect(sources.nextDeadline == 10)
    #expect(expired(&sources, at: 9) == [])
    #expect(expired(&sources, at: 10) == ["soon"])
    #expect(expired(&sources, at: 10) == [])
    #expect(expired(&sources, at: 99) == ["next", "late"])
    #expect(sources.nextDeadline == nil)
  }

  @Test func `a deadline that moved later expires once, at the later time`() {
    var sources = Sources()
    let source = Named("a")
    sources.add(source)
    sources.setDeadline(source, at: 10)
    sources.setDeadline(source, at: 50)
    #expect(expired(&sources, at: 10) == [])
    #expect(expired(&sources, at: 49) == [])
    #expect(expired(&sources, at: 50) == ["a"])
    #expect(expired(&sources, at: 99) == [])
  }

  @Test func `a deadline that moved earlier expires once, at the earlier time`() {
    var sources = Sources()
    let source = Named("a")
    sources.add(source)
    sources.setDeadline(source, at: 50)
    sources.setDeadline(source, at: 10)
    #expect(expired(&sources, at: 10) == ["a"])
    #expect(expired(&sources, at: 50) == [])
  }

  @Test func `a deadline that moved earlier and later again expires at the last time`() {
    var sources = Sources()
    let source = Named("a")
    sources.add(source)
    sources.setDeadline(source, at: 50)
    sources.setDeadline(source, at: 10)
    sources.setDeadline(source, at: 50)
    #expect(expired(&sources, at: 49) == [])
    #expect(expired(&sources, at: 50) == ["a"])
    #expect(expired(&sources, at: 99) == [])
  }

  @Test func `a cleared deadline never expires`() {
    var sources = Sources()
    let source = Named("a")
    sources.add(source)
    sources.setDeadline(source, at: 10)
    sources.setDeadline(source, at: .max)
    #expect(expired(&sources, at: .max - 1) == [])
  }

  @Test func `a removed source never expires, also when its slot is taken again`() {
    var sources = Sources()
    let old = Named("old")
    sources.add(old)
    sources.setDeadline(old, at: 10)
    sources.remove(old)
    let new = Named("new")
    sources.add(new)
    #expect(expired(&sources, at: 10) == [])
    sources.setDeadline(new, at: 20)
    #expect(expired(&sources, at: 20) == ["new"])
  }

  @Test func `a replaced source hands on slot and token, but not its deadline`() {
    var sources = Sources()
    let old = Named("old")
    sources.add(old)
    sources.setDeadline(old, at: 10)
    let new = Named("new")
    let token = old.token
    sources.replace(old, with: new)
    #expect(new.token == token)
    #expect(sources[token] === new)
    #expect(sources.count == 1)
    #expect(expired(&sources, at: 10) == [])
    sources.setDeadline(new, at: 20)
    #expect(expired(&sources, at: 20) == ["new"])
  }

  @Test func `a busy source does not fill the heap`() {
    var sources = Sources()
    let source = Named("a")
    sources.add(source)
    for time in 100..<10_100 as Range<Int64> { sources.setDeadline(source, at: time) }
    #expect(sources.nextDeadline == 100)
    #expect(expired(&sources, at: 10_098) == [])
    // One entry for all ten thousand: it is looked at again at the last time only.
    #expect(sources.nextDeadline == 10_099)
    #expect(expired(&sources, at: 10_099) == ["a"])
    #expect(sources.nextDeadline == nil)
  }
}
