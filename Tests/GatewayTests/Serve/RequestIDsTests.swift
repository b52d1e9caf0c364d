import Testing

@testable import Gateway

@Suite("Request ids")
struct RequestIDsTests {
  private func isSane(_ id: [UInt8]) -> Bool { RequestIDs.isSane(id.span) }

  @Test func `are req- and sixteen hex digits, and taken over from clients as they are made`() {
    var ids = RequestIDs()
    for _ in 0..<100 {
      let id = ids.next()
      #expect(id.count == 20)
      #expect(id.starts(with: "req-".utf8))
      #expect(
        id.dropFirst(4).allSatisfy {
          UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
        }
      )
      #expect(isSane(id))
    }
  }

  @Test func `differ within one maker and between two`() {
    var (one, two) = (RequestIDs(), RequestIDs())
    var seen: Set<[UInt8]> = []
    for _ in 0..<10_000 {
      #expect(seen.insert(one.next()).inserted)
      #expect(seen.insert(two.next()).inserted)
    }
  }

  @Test func `trace ids are 32 hex digits and differ`() {
    var ids = RequestIDs()
    var seen: Set<[UInt8]> = []
    for _ in 0..<1_000 {
      var id: [UInt8] = []
      ids.writeTraceID(to: &id)
      #expect(id.count == 32)
      #expect(id.allSatisfy { Array("0123456789abcdef".utf8).contains($0) })
      #expect(seen.insert(id).inserted)
    }
  }

  @Test func `are appended`() {
    var ids = RequestIDs()
    var line = Array("X-Request-ID: ".utf8)
    ids.write(to: &line)
    #expect(line.count == 34)
  }

  @Test(arguments: ["a", "A-Z_a.z-09", String(repeating: "x", count: 128)])
  func `a client's own is taken when it is short and harmless`(_ id: String) {
    #expect(isSane(Array(id.utf8)))
  }

  @Test(arguments: [
    "", String(repeating: "x", count: 129), "a b", "a\"b", "a\nb", "a\r", "a\0", "ü", "a:b", "a/b",
    "a=b", "<a>", "{a}", "a\u{7F}", "%41", "a,b", "a;b", "a\\b", "'a'",
  ])
  func `a client's own is not taken otherwise`(_ id: String) {
    #expect(!isSane(Array(id.utf8)))
  }
}
