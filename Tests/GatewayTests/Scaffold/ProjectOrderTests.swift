import Testing

@testable import Gateway

@Suite("The arguments of plugin new")
struct ProjectOrderTests {
  private func problems(_ arguments: [String]) -> [String] {
    do throws(UsageError) {
      _ = try ProjectOrder(arguments[...])
      return []
    } catch {
      return error.problems
    }
  }

  @Test func `the name alone says where`() throws {
    let order = try ProjectOrder(["--lang", "swift", "things"])
    #expect(order.name == "things")
    #expect(order.language == .swift)
    #expect(order.directory == "things")
    #expect(order.sdk == nil)
  }

  @Test func `options may come in any order and with an equals sign`() throws {
    let order = try ProjectOrder(["things", "--sdk=/sdk", "--dir", "here", "--lang=c"])
    #expect(order.language == .c)
    #expect(order.directory == "here")
    #expect(order.sdk == "/sdk")
  }

  @Test(arguments: ["", "Things", "1st", "_a", "a-b", "a.b", "../a", "a/b", "é"])
  func `a name that is no plugin id is refused`(_ name: String) {
    #expect(
      problems(["--lang", "c", name]).contains { $0.contains("begins with a letter") }
    )
  }

  @Test func `a name has 32 bytes at most`() {
    #expect(problems(["--lang", "c", String(repeating: "a", count: 32)]) == [])
    #expect(problems(["--lang", "c", String(repeating: "a", count: 33)]).count == 1)
  }

  @Test func `everything wrong is named at once`() {
    #expect(
      problems(["--lang", "cobol", "--dir", "a", "--dir=b", "--fast", "x", "y"]) == [
        "--lang: write one of c|rust|swift",
        "--dir: write it once",
        "\"--fast\": there is no such option",
        "NAME: write one, not 2",
      ]
    )
    #expect(
      problems([]) == ["--lang: it is required; write one of c|rust|swift", "NAME: it is required"]
    )
    #expect(problems(["a", "--lang"]) == ["--lang: write a value after it"])
    #expect(problems(["a", "--lang", "c", "--dir="]) == ["--dir: write a value after it"])
  }
}
