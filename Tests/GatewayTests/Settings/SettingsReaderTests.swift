import Testing

@testable import Gateway

/// An environment that is complete with nothing else in it.
let secret = String(repeating: "s", count: 32)

func settings(_ variables: [String: String]) throws -> Settings {
  try Settings.read(["JWT_SECRET_KEY": secret].merging(variables) { $1 })
}

func problems(_ variables: [String: String]) -> [SettingsError.Problem] {
  do throws(SettingsError) {
    _ = try Settings.read(["JWT_SECRET_KEY": secret].merging(variables) { $1 })
    return []
  } catch {
    return error.problems
  }
}

@Suite("Settings from the environment")
struct SettingsReaderTests {
  @Test func `takes the guide's defaults`() throws {
    let settings = try settings([:])
    #expect(settings.host == "0.0.0.0")
    #expect(settings.port == 8000)
    #expect(settings.jwtSecret == Array(secret.utf8))
    #expect(!settings.requireMFA && !settings.debug && settings.accessLog)
    #expect(settings.logLevel == .info && settings.logFormat == .text)
    #expect(settings.workers == 1)
    #expect(settings.apiKeys.isEmpty && settings.corsOrigins.isEmpty)
    #expect(settings.tiers == Tier.standardTiers)
    #expect(settings.limits == Limits())
  }

  @Test func `a missing secret is one sentence with the command that makes one`() throws {
    let error = try #require(throws: SettingsError.self) { try Settings.read([:]) }
    #expect(error.problems.map(\.variable) == ["JWT_SECRET_KEY"])
    #expect(!error.description.contains("\n"))
    #expect(error.description.contains("export JWT_SECRET_KEY=$(openssl rand -base64 48)"))
  }

  @Test func `31 bytes of secret are refused with the reason, 32 are not, and neither is shown`() {
    let short = String(repeating: "k", count: 31)
    let refused = problems(["JWT_SECRET_KEY": short])
    #expect(refused.count == 1)
    #expect(refused[0].description.contains("RFC 7518 section 3.2"))
    #expect(refused[0].description.contains("31 bytes"))
    #expect(refused[0].description.contains("openssl rand -base64 48"))
    #expect(!refused[0].description.contains(short))
    #expect(problems(["JWT_SECRET_KEY": short + "k"]).isEmpty)
    #expect(problems(["JWT_SECRET_KEY": short, "DEBUG": "true"]).isEmpty)
    #expect(problems(["JWT_SECRET_KEY": "", "DEBUG": "true"]).count == 1)
    #expect(problems(["JWT_SECRET_KEY": secret + "\u{FFFD}"]).count == 1)
  }

  @Test func `names every bad variable at once, with its value`() {
    let found = problems(["PORT": "80a", "WORKERS": "65", "DEBUG": "maybe", "HOST": "a b"])
    #expect(Set(found.map(\.variable)) == ["PORT", "WORKERS", "DEBUG", "HOST"])
    let port = found.first { $0.variable == "PORT" }
    #expect(port?.description == #"PORT is "80a": write a whole number from 0 to 65535"#)
  }

  @Test func `a value with control characters or without end is shown escaped and cut`() {
    let found = problems(["PORT": "\u{1B}[2J" + String(repeating: "9", count: 500)])
    #expect(found.count == 1)
    #expect(!found[0].description.unicodeScalars.contains("\u{1B}"))
    #expect(found[0].description.utf8.count < 300)
  }

  @Test func `an empty value counts as unset`() throws {
    let empty = try settings(["PORT": "", "HOST": "", "API_KEY_1": "", "LIMIT_HEAD_BYTES": ""])
    #expect(empty.port == 8000 && empty.apiKeys.isEmpty)
  }

  @Test func `reads all of the guide's variables`() throws {
    let settings = try settings([
      "HOST": "::1", "PORT": "0", "REQUIRE_MFA": "Yes", "DEBUG": "1", "LOG_LEVEL": "WARNING",
      "LOG_FORMAT": "json", "ACCESS_LOG": "no", "WORKERS": "64", "JWT_ISSUER": "me",
      "JWT_AUDIENCE": "you", "DATA_DIR": "/d", "PLUGINS_DIR": "/p", "LIBRARY_DIR": "/l",
    ])
    #expect(settings.host == "::1" && settings.port == 0)
    #expect(settings.requireMFA && settings.debug && !settings.accessLog)
    #expect(settings.logLevel == .warning && settings.logFormat == .json && settings.workers == 64)
    #expect(settings.jwtIssuer == "me" && settings.jwtAudience == "you")
    #expect(settings.dataDirectory == "/d" && settings.pluginsDirectory == "/p")
    #expect(settings.libraryDirectory == "/l")
  }

  @Test func `reads the guide's API keys in the order of their numbers`() throws {
    let settings = try settings([
      "API_KEY_10": "k10:u10:admin",
      "API_KEY_1": "key123:user1:read,write:premium",
      "API_KEY_2": "key456:user2:read:standard",
      "API_KEY_OPENAI": "of another program",
    ])
    #expect(settings.apiKeys.map(\.identity.subject) == ["user1", "user2", "u10"])
    #expect(settings.apiKeys[0].key == Array("key123".utf8))
    #expect(settings.apiKeys[0].identity.scopes == ["read", "write"])
    #expect(settings.apiKeys.map(\.identity.tier) == ["premium", "standard", "standard"])
    #expect(
      settings.apiKeys.allSatisfy { $0.identity.expiresAt == nil && !$0.identity.mfaVerified }
    )
  }

  @Test(arguments: ["0", "1000", "01", "99999999999999999999"])
  func `an API key's number is 1 to 999`(_ suffix: String) {
    #expect(problems(["API_KEY_\(suffix)": "a:b:c"]).map(\.variable) == ["API_KEY_\(suffix)"])
  }

  @Test func `two API keys of one key are refused without showing it`() {
    let found = problems(["API_KEY_1": "samekey:a:read", "API_KEY_999": "samekey:b:read"])
    #expect(found.map(\.variable) == ["API_KEY_999"])
    #expect(!found[0].description.contains("samekey"))
  }

  @Test func `an API key may have a tier that RATE_LIMIT_TIERS adds`() throws {
    let settings = try settings(["API_KEY_1": "k:u:read:gold", "RATE_LIMIT_TIERS": "gold:1:2"])
    #expect(settings.apiKeys[0].identity.tier == "gold")
  }

  @Test func `an unknown limit is refused instead of ignored`() {
    #expect(problems(["LIMIT_HEADBYTES": "9"]).map(\.variable) == ["LIMIT_HEADBYTES"])
  }

  @Test func `a loop's limit is off, or longer than a handler may be`() throws {
    func refused(_ hang: String, _ inline: String = "") -> String? {
      problems(["LIMIT_HANG_SECONDS": hang, "LIMIT_INLINE_SECONDS": inline]).first?.description
    }
    for hang in ["0", "1", "0.0"] { #expect(refused(hang) == nil) }
    #expect(refused("10.000000001", "10") == nil && refused("0", "10") == nil)
    #expect(
      refused("0.999999999") == #"LIMIT_HANG_SECONDS is "0.999999999": write 0 to switch it off, "#
        + "or at least 1 and more than LIMIT_INLINE_SECONDS, which is 0.005"
    )
    #expect(refused("10", "10")?.hasSuffix("which is 10") == true)
  }

  @Test func `the process has an environment`() {
    #expect(Environment.read()["PATH"] != nil)
  }
}
