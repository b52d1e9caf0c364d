/// One test of a plugin library, run in a child process of its own.
struct ValidatorTest: Sendable {
  /// Why a test did not pass.
  enum Stop: Error {
    /// What is wrong and what to do, a sentence each.
    case failed([String])
    case skipped(String)
  }

  /// What passed tests may still say, or nothing.
  typealias Body = @Sendable (LibrarySubject) throws(Stop) -> String

  /// A group and a word, as `--only` takes it.
  let name: String
  /// What it catches, for `--list`.
  let catches: String
  /// Names of tests without whose passing this one says nothing.
  let needs: [String]
  /// How long it may take; then the plugin hangs.
  let limit: Duration
  let run: Body

  init(
    _ name: String,
    _ catches: String,
    needs: [String] = [],
    limit: Duration = .seconds(20),
    _ run: @escaping Body
  ) {
    self.name = name
    self.catches = catches
    self.needs = needs
    self.limit = limit
    self.run = run
  }

  /// All tests, in the order in which they are run.
  static let all =
    StaticTests.all + LoadTests.all + ContractTests.all + RequestTests.all + CallbackTests.all
    + StateTests.all + LifeTests.all + SwapTests.all
}

extension ValidatorTest.Stop {
  /// One sentence.
  static func failed(_ sentence: String) -> Self { .failed([sentence]) }

  /// Throws when there is anything to complain of.
  static func unless(_ faults: [String]) throws(ValidatorTest.Stop) {
    guard faults.isEmpty else { throw .failed(faults) }
  }
}
