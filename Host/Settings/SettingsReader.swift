/// Reads the environment into `Settings`, collecting everything that is wrong with it.
struct SettingsReader {
  static let secretCommand = "export JWT_SECRET_KEY=$(openssl rand -base64 48)"
  /// RFC 7518 §3.2: the key of HS256 has at least the 256 bits of its digest.
  static let secretBytes = 32

  private let environment: [String: String]
  private(set) var settings = Settings()
  private(set) var problems: [SettingsError.Problem] = []

  init(_ environment: [String: String]) { self.environment = environment }

  mutating func readAll() {
    for variable in SettingsTable.variables {
      // An empty value counts as unset: that is how compose files and unit files leave one out.
      guard let value = environment[variable.name], !value.isEmpty else { continue }
      do throws(SettingsVariable.Refusal) {
        try variable.take(value, &settings)
      } catch {
        refuse(variable.name, variable.isSecret ? nil : value, error.remedy)
      }
    }
    checkSecret()
    checkHangTime()
    readAPIKeys()
    refuseUnknownLimits()
  }

  private mutating func refuse(_ variable: String, _ value: String?, _ remedy: String) {
    problems.append(.init(variable: variable, value: value, remedy: remedy))
  }

  private mutating func checkSecret() {
    let name = "JWT_SECRET_KEY"
    guard !problems.contains(where: { $0.variable == name }) else { return }
    let count = settings.jwtSecret.count
    if count == 0 {
      refuse(
        name,
        nil,
        "it is required, since it signs all tokens; make one with: \(Self.secretCommand)"
      )
    } else if count < Self.secretBytes && !settings.debug {
      refuse(
        name,
        nil,
        "it has \(count) bytes, but HS256 needs at least \(Self.secretBytes) (RFC 7518 section 3.2); "
          + "make one with: \(Self.secretCommand) (only DEBUG=true takes a shorter one)"
      )
    }
  }

  /// A handler that is only late must not end the process.
  private mutating func checkHangTime() {
    let limits = settings.limits
    guard limits.hangTime != .zero,
      limits.hangTime < .seconds(1) || limits.hangTime <= limits.inlineTime
    else { return }
    refuse(
      "LIMIT_HANG_SECONDS",
      SettingsValue.secondsText(limits.hangTime),
      "write 0 to switch it off, or at least 1 and more than LIMIT_INLINE_SECONDS, which is "
        + SettingsValue.secondsText(limits.inlineTime)
    )
  }

  private mutating func readAPIKeys() {
    let prefix = "API_KEY_"
    var found: [(number: Int, name: String, value: String)] = []
    for (name, value) in environment where name.hasPrefix(prefix) && !value.isEmpty {
      let suffix = name.dropFirst(prefix.count)
      // Words after the prefix belong to other programs: OPENAI, and the like.
      guard !suffix.isEmpty, suffix.utf8.allSatisfy(SettingsValue.isDigit) else { continue }
      guard let number = Int(suffix), (1...999).contains(number), suffix == "\(number)" else {
        refuse(name, nil, "write the number as 1 to 999, without zeros before it")
        continue
      }
      found.append((number, name, value))
    }
    found.sort { $0.number < $1.number }
    for (_, name, value) in found {
      do throws(SettingsVariable.Refusal) {
        let key = try SettingsValue.apiKey(value, tiers: settings.tiers)
        guard !settings.apiKeys.contains(where: { $0.key == key.key }) else {
          throw SettingsVariable.Refusal(
            remedy: "an API key before it has the same key; make another"
          )
        }
        settings.apiKeys.append(key)
      } catch {
        refuse(name, nil, error.remedy)
      }
    }
  }

  /// A misspelt limit would leave its default in force without a word.
  private mutating func refuseUnknownLimits() {
    let known = Set(LimitVariables.all.map(\.name))
    for name in environment.keys.sorted() where name.hasPrefix("LIMIT_") && !known.contains(name) {
      refuse(name, nil, "there is no such limit; the README lists them all, or unset it")
    }
  }
}

extension Settings {
  /// Reads the settings from an environment.
  ///
  /// - Parameter environment: Variables by name; an empty value counts as unset.
  /// - Returns: The settings, with defaults for what the environment leaves out.
  /// - Throws: `SettingsError` with every bad variable.
  package static func read(_ environment: [String: String]) throws(SettingsError) -> Settings {
    var reader = SettingsReader(environment)
    reader.readAll()
    guard reader.problems.isEmpty else { throw SettingsError(problems: reader.problems) }
    return reader.settings
  }
}
