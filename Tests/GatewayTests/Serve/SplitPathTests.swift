import Testing

@testable import Gateway

@Suite("Paths, RFC 3986 §3.3")
struct SplitPathTests {
  /// The decoded segments of `path`, `nil` when it is refused.
  private func segments(_ path: String) -> [[UInt8]]? {
    var split = SplitPath()
    guard split.split(Array(path.utf8).span) else { return nil }
    return (0..<split.count).map { Array(split[$0]) }
  }

  private func texts(_ path: String) -> [String]? {
    segments(path)?.map { String(decoding: $0, as: UTF8.self) }
  }

  @Test(
    arguments: [
      ("/", []), ("/a", ["a"]), ("/a/b/c", ["a", "b", "c"]), ("/a/", ["a", ""]), ("//", ["", ""]),
      ("/a//b", ["a", "", "b"]), ("/%61", ["a"]), ("/%C3%BC", ["ü"]), ("/a%20b", ["a b"]),
      ("/a.b", ["a.b"]), ("/...", ["..."]), ("/..a", ["..a"]), ("/.a", [".a"]), ("/a.", ["a."]),
      ("/a;v=1", ["a;v=1"]), ("/+", ["+"]),
    ] as [(String, [String])]
  )
  func `are split and decoded`(_ path: String, _ expected: [String]) {
    #expect(texts(path) == expected)
  }

  @Test func `an encoded slash is data and no separator`() {
    #expect(texts("/a%2Fb/c") == ["a/b", "c"])
    #expect(texts("/a%2fb") == ["a/b"])
    #expect(texts("/%2F") == ["/"])
  }

  @Test func `a percent sign is decoded once`() {
    #expect(texts("/%2541") == ["%41"])
    #expect(texts("/%252e%252e") == ["%2e%2e"])
  }

  @Test(arguments: [
    "/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/%2e", "/%2E%2e", "/.%2e",
    "/%2e.", "/a/%2e%2E/b", "/%00", "/a%00", "/a\0", "/%", "/%4", "/%4g", "/%g4", "/a%", "/a%2",
    "/%%41", "/% 41", "/%4/1", "/a/%",
  ])
  func `are refused when no two servers would read them alike`(_ path: String) {
    #expect(segments(path) == nil)
  }

  @Test func `are refused or read at every cut without a step past the end`() throws {
    let whole = Array("/a%2Fb/%2e%2e/%41".utf8)
    for count in 1...whole.count {
      var split = SplitPath()
      let cut = Array(whole.prefix(count))
      let isGood = split.split(cut.span)
      let text = String(decoding: cut, as: UTF8.self)
      // What ends in "%2e%2e" or further is never right.
      let isWhole = ["/", "/a", "/a%2F", "/a%2Fb", "/a%2Fb/"].contains(text)
      #expect(isGood == isWhole, "\(text)")
    }
  }

  @Test func `bytes above ASCII are kept as they are`() {
    #expect(segments("/%FF%80") == [[0xFF, 0x80]])
  }

  @Test func `32 segments are the most a pattern has; of more, one more is kept`() {
    let most = String(repeating: "/a", count: 32)
    #expect(texts(most)?.count == 32)
    #expect(texts(most + "/a")?.count == 33)
    #expect(texts(most + "/a/a/a/a")?.count == 33)
  }

  @Test func `nothing of the path before is left`() {
    var path = SplitPath()
    let results = ["/one/two/three", "/four/%", "/five"].map { path.split(Array($0.utf8).span) }
    #expect(results == [true, false, true])
    let count = path.count
    let segment = Array(path[0])
    #expect(count == 1)
    #expect(segment == Array("five".utf8))
  }

  @Test func `segments are compared byte by byte`() {
    var path = SplitPath()
    let isGood = path.split(Array("/five/".utf8).span)
    #expect(isGood)
    let same = ["five", "fivE", "five!", "fiv", ""].map { path.equals(0, Array($0.utf8)) }
    #expect(same == [true, false, false, false, false])
    let empty = [path.isEmpty(0), path.isEmpty(1)]
    #expect(empty == [false, true])
  }
}
