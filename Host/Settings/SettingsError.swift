/// Every bad variable of an environment, all at once.
package struct SettingsError: Error, Equatable, CustomStringConvertible {
  /// One variable and what is wrong with it.
  package struct Problem: Equatable, Sendable, CustomStringConvertible {
    package let variable: String
    /// The refused value; `nil` when it is missing or a secret.
    package let value: String?
    /// What would be accepted, as a phrase that ends the sentence.
    package let remedy: String

    package var description: String {
      guard let value else { return "\(variable): \(remedy)" }
      // Cut and escaped: a value is printed on a terminal and may hold anything.
      let shown = String(value.prefix(100)).debugDescription + (value.count > 100 ? "…" : "")
      return "\(variable) is \(shown): \(remedy)"
    }
  }

  package let problems: [Problem]

  package var description: String { problems.map(\.description).joined(separator: "\n") }
}
