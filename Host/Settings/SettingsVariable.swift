/// One environment variable the gateway reads.
package struct SettingsVariable: Sendable {
  /// Why a value was not taken: what would be, as a phrase that ends a sentence.
  package struct Refusal: Error, Equatable {
    package let remedy: String
  }

  package let name: String
  /// The default as an operator would write it, or what stands in its place.
  package let defaultText: String
  /// What it decides, in one line.
  package let meaning: String
  /// Whether messages must not repeat the value.
  package let isSecret: Bool
  /// Checks a non-empty value and puts it into the settings.
  package let take: @Sendable (String, inout Settings) throws(Refusal) -> Void

  package init(
    _ name: String,
    default defaultText: String,
    _ meaning: String,
    isSecret: Bool = false,
    take: @escaping @Sendable (String, inout Settings) throws(Refusal) -> Void
  ) {
    self.name = name
    self.defaultText = defaultText
    self.meaning = meaning
    self.isSecret = isSecret
    self.take = take
  }

  /// A number of bytes or of things.
  static func limit(
    _ name: String,
    _ field: any (WritableKeyPath<Limits, Int> & Sendable),
    _ allowed: ClosedRange<Int>,
    _ meaning: String
  ) -> SettingsVariable {
    let range = "\(allowed.lowerBound)–\(allowed.upperBound)"
    return SettingsVariable(
      name,
      default: "\(Limits()[keyPath: field])",
      "\(meaning) Allowed: \(range)."
    ) { value, settings throws(Refusal) in
      settings.limits[keyPath: field] = try SettingsValue.number(value, allowed)
    }
  }

  /// A time in seconds, with decimals; the bounds are milliseconds.
  static func limit(
    _ name: String,
    _ field: any (WritableKeyPath<Limits, Duration> & Sendable),
    milliseconds allowed: ClosedRange<Int64>,
    _ meaning: String
  ) -> SettingsVariable {
    let range =
      "\(SettingsValue.secondsText(.milliseconds(allowed.lowerBound)))–"
      + SettingsValue.secondsText(.milliseconds(allowed.upperBound))
    return SettingsVariable(
      name,
      default: SettingsValue.secondsText(Limits()[keyPath: field]),
      "\(meaning) Allowed: \(range)."
    ) { value, settings throws(Refusal) in
      settings.limits[keyPath: field] = try SettingsValue.seconds(value, milliseconds: allowed)
    }
  }
}
