import Glibc
import Testing

@testable import Gateway

@Suite("The table of settings")
struct SettingsTableTests {
  /// Lines of the README's table under `## Settings`.
  static func readmeTable() throws -> [String] {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    let file = try #require(fopen("/\(root)/README.md", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    let lines = String(decoding: bytes[..<count], as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let start = try #require(lines.firstIndex(of: "## Settings"))
    let section = lines[(start + 1)...].prefix { !$0.hasPrefix("## ") }
    return section.filter { $0.hasPrefix("|") }
  }

  @Test func `the README has every row of the code, and the code every row of the README`() throws {
    let readme = try Self.readmeTable()
    let missing = SettingsTable.markdown.filter { !readme.contains($0) }
    let surplus = readme.filter { !SettingsTable.markdown.contains($0) }
    #expect(missing.isEmpty, "add to README.md:\n\(missing.joined(separator: "\n"))")
    #expect(surplus.isEmpty, "remove from README.md:\n\(surplus.joined(separator: "\n"))")
    #expect(readme == SettingsTable.markdown)
  }

  @Test func `no name stands twice`() {
    let names = SettingsTable.variables.map(\.name)
    #expect(Set(names).count == names.count)
  }

  @Test func `each default, written out, gives the default settings`() throws {
    for variable in SettingsTable.variables where !variable.defaultText.hasPrefix("(") {
      var settings = Settings()
      try variable.take(variable.defaultText, &settings)
      #expect(dumped(settings) == dumped(Settings()), "\(variable.name)")
    }
  }

  private func dumped(_ settings: Settings) -> String {
    var text = ""
    dump(settings, to: &text)
    return text
  }

  @Test func `each number of Limits has one variable`() {
    #expect(Mirror(reflecting: Limits()).children.count == LimitVariables.all.count)
    var moved: Set<String> = []
    for variable in LimitVariables.all {
      let (low, high) = Self.range(of: variable)
      for text in [low, high] {
        var settings = Settings()
        #expect(throws: Never.self) { try variable.take(text, &settings) }
        if settings.limits != Limits() { moved.insert(Self.changed(settings.limits)) }
      }
    }
    #expect(moved.count == LimitVariables.all.count)
  }

  @Test func `each limit takes its least and its most, and nothing beyond`() throws {
    for variable in LimitVariables.all {
      let (low, high) = Self.range(of: variable)
      var settings = Settings()
      for text in [low, high] {
        #expect(throws: Never.self, "\(variable.name)") { try variable.take(text, &settings) }
      }
      var beyond = ["", "-1", "+1", "x", " 5", "1e3", "0x10", "99999999999999999999"]
      if variable.name.hasSuffix("_SECONDS") {
        beyond += [high + ".000000001", "1.", ".5", "1.0000000001", "1.2.3"]
        if low != "0" { beyond += ["0"] }
      } else {
        beyond += ["\(try #require(Int(high)) + 1)", "1.5"]
        if low != "0" { beyond += ["\(try #require(Int(low)) - 1)"] }
      }
      for text in beyond {
        #expect(throws: SettingsVariable.Refusal.self, "\(variable.name) \(text)") {
          try variable.take(text, &settings)
        }
      }
    }
  }

  /// The bounds as the meaning states them.
  static func range(of variable: SettingsVariable) -> (String, String) {
    let text = variable.meaning.split(separator: " ").last.map(String.init) ?? ""
    let bounds = text.dropLast().split(separator: "–").map(String.init)
    return (bounds[0], bounds[1])
  }

  /// The name of the one field that differs from the defaults.
  static func changed(_ limits: Limits) -> String {
    let defaults = Mirror(reflecting: Limits()).children.map { "\($0.label ?? "") \($0.value)" }
    let now = Mirror(reflecting: limits).children.map {
      ($0.label ?? "", "\($0.label ?? "") \($0.value)")
    }
    return zip(now, defaults).filter { $0.0.1 != $0.1 }.map(\.0.0).joined(separator: ",")
  }
}
