/// The arguments of the verbs that sign and verify: one option with a value, and a library.
package struct SigningOrder: Equatable, Sendable {
  /// What the option was given.
  package private(set) var value: String?
  /// The path of the library.
  package private(set) var library: String?

  /// Reads the arguments behind the verb.
  ///
  /// - Parameters:
  ///   - arguments: The library, and the option as `--name value` or `--name=value`, in any order.
  ///   - option: The option's name.
  ///   - isRequired: Whether it may be left out.
  /// - Throws: `UsageError` with everything that is wrong.
  package init(
    _ arguments: ArraySlice<String>,
    option: String,
    isRequired: Bool
  ) throws(UsageError) {
    var problems: [String] = []
    var rest = arguments
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-") else {
        if library != nil { problems.append("\(argument.debugDescription): write one file") }
        library = argument
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts[0] == option else {
        problems.append("\(argument.debugDescription): there is no such option")
        continue
      }
      if value != nil { problems.append("\(option): write it once") }
      value = parts.count > 1 ? String(parts[1]) : rest.popFirst()
      if value?.isEmpty ?? true { problems.append("\(option): write a value after it") }
    }
    if isRequired, value == nil { problems.append("\(option): it is required") }
    guard problems.isEmpty else { throw UsageError(problems) }
  }
}
