import Testing

@testable import Gateway

@Suite("Values of settings")
struct SettingsValueTests {
  @Test(arguments: ["true", "TRUE", "1", "yes", "Yes"])
  func `is a yes`(_ text: String) throws { #expect(try SettingsValue.flag(text)) }

  @Test(arguments: ["false", "False", "0", "no", "NO"])
  func `is a no`(_ text: String) throws { #expect(try !SettingsValue.flag(text)) }

  @Test(arguments: ["", "on", "2", "t", " true"])
  func `is neither`(_ text: String) {
    #expect(throws: SettingsVariable.Refusal.self) { try SettingsValue.flag(text) }
  }

  @Test func `seconds keep their decimals and write back as they were`() throws {
    for (text, duration) in [
      ("0", Duration.zero), ("75", .seconds(75)), ("0.005", .milliseconds(5)),
      ("1.5", .milliseconds(1500)), ("0.000000001", .nanoseconds(1)),
    ] {
      #expect(try SettingsValue.seconds(text, milliseconds: 0...100_000) == duration)
      #expect(SettingsValue.secondsText(duration) == text)
    }
    #expect(try SettingsValue.seconds("1.50", milliseconds: 0...2000) == .milliseconds(1500))
  }
}

@Suite("Values of settings that have parts")
struct CallerValuesTests {
  @Test func `origins are written as browsers write them`() throws {
    #expect(
      try SettingsValue.origins(
        "https://App.example , http://localhost:3000,https://a.example:443,http://b:80,"
          + "http://[::1]:8080,https://a.example,capacitor://localhost,http://c:443"
      ) == [
        "https://app.example", "http://localhost:3000", "https://a.example", "http://b",
        "http://[::1]:8080", "capacitor://localhost", "http://c:443",
      ]
    )
  }

  @Test func `the star is refused with the reason`() throws {
    let refusal = try #require(throws: SettingsVariable.Refusal.self) {
      try SettingsValue.origins("https://a.example,*")
    }
    #expect(refusal.remedy.contains("any web page"))
  }

  @Test(arguments: [
    "", "a.example", "https://", "https://a/", "https://a/b", "https://a:", "https://a:0",
    "https://a:65536", "https://a b", "null", "https://*.a", "https://u@a", "://a", "1s://a",
    "https://a,", "https://[]", "https://a:b:1", "https://[::1", "https://ä.example",
  ])
  func `is no origin`(_ text: String) {
    #expect(throws: SettingsVariable.Refusal.self) { try SettingsValue.origins(text) }
  }

  @Test func `tiers are added or replaced`() throws {
    let tiers = try SettingsValue.tiers("premium:0:0, gold_1:7:8", replacing: Tier.standardTiers)
    #expect(tiers.map(\.name) == ["standard", "premium", "enterprise", "gold_1"])
    #expect(tiers[1] == Tier(name: "premium", perMinute: 0, perHour: 0))
    #expect(tiers[3] == Tier(name: "gold_1", perMinute: 7, perHour: 8))
  }

  @Test(arguments: [
    "", "a", "a:1", "a:1:2:3", ":1:2", "a b:1:2", "a:x:2", "a:1:-2", "a:1:1000000001",
    "a:1:2,", "a:1:2,a:3:4", "abcdefghijabcdefghijabcdefghijabc:1:2", "ä:1:2",
  ])
  func `is no list of tiers`(_ text: String) {
    #expect(throws: SettingsVariable.Refusal.self) {
      try SettingsValue.tiers(text, replacing: Tier.standardTiers)
    }
  }

  @Test func `64 tiers are taken and 65 are not`() throws {
    func list(_ count: Int) -> String {
      (0..<count).map { "t\($0):1:1" }.joined(separator: ",")
    }
    #expect(try SettingsValue.tiers(list(61), replacing: Tier.standardTiers).count == 64)
    #expect(throws: SettingsVariable.Refusal.self) {
      try SettingsValue.tiers(list(62), replacing: Tier.standardTiers)
    }
  }

  @Test(arguments: [
    "hidden", "hidden:u", "hidden:u:read:standard:x", ":hidden:read", "hidden::read", "hidden:u:",
    "hidden:u:read:", "hidden:u:read:gold", "hidden:u:read,,write", "hidden:u:read,read",
    "hid den:u:read", "hidden:u\u{7}:read", "hidden:u:re ad", "hidden:u:re\"ad", "hïdden:u:read",
  ])
  func `is no API key, and the refusal shows none of it`(_ text: String) throws {
    let refusal = try #require(throws: SettingsVariable.Refusal.self) {
      try SettingsValue.apiKey(text, tiers: Tier.standardTiers)
    }
    #expect(!refusal.remedy.contains("hidden") && !refusal.remedy.contains("gold"))
  }

  @Test(arguments: ["127.0.0.1", "::", "::1", "localhost", "a-b.example", "fe80::1%eth0"])
  func `is a host`(_ text: String) throws { #expect(try SettingsValue.host(text) == text) }

  @Test(arguments: ["a b", "[::1]", "http://a", "a/b", "ä"])
  func `is no host`(_ text: String) {
    #expect(throws: SettingsVariable.Refusal.self) { try SettingsValue.host(text) }
  }
}
