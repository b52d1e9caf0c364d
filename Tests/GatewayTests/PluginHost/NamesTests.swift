import Testing

@testable import Gateway

@Suite("Names of the contract")
struct NamesTests {
  @Test(arguments: [
    ("a", true), ("agent_forge2", true), ("", false), ("A", false), ("1a", false), ("a.b", false),
    ("a-b", false), ("é", false), (String(repeating: "a", count: 32), true),
    (String(repeating: "a", count: 33), false),
  ])
  func `a plugin's id is a short word`(_ name: String, _ isGood: Bool) {
    #expect(Names.isPluginID(name) == isGood)
  }

  @Test(arguments: [
    ("a.b_c", true), (".a", false), (String(repeating: "a", count: 64), true),
    (String(repeating: "a", count: 65), false),
  ])
  func `a topic or service has dots`(_ name: String, _ isGood: Bool) {
    #expect(Names.isDotted(name) == isGood)
  }

  @Test(arguments: [
    ("1.2.3", true), ("0.0.0", true), ("1.2.3-rc.1", true), ("1.2.3+5f", true), ("1.2.3-a+b", true),
    ("1.2", false), ("1.2.3.4", false), ("01.2.3", false), ("1.2.x", false), ("", false),
    ("1.2.3-", false), ("1.2.3+", false), ("v1.2.3", false),
  ])
  func `a version is a semantic one`(_ version: String, _ isGood: Bool) {
    #expect(Names.isVersion(version) == isGood)
  }

  @Test func `a mistyped name is guessed when it is close`() {
    #expect(EditDistance.between("kitten", "sitting") == 3)
    #expect(EditDistance.nearest(to: "lbrary", among: ["library", "limits"]) == "library")
    #expect(EditDistance.nearest(to: "colour", among: ["library", "limits"]) == nil)
    #expect(EditDistance.nearest(to: String(repeating: "l", count: 65), among: ["library"]) == nil)
  }
}
