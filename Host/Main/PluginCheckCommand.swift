import Gateway
import Wire

/// `plugin check`: the validator of a plugin library.
enum PluginCheckCommand {
  /// Runs the verb.
  ///
  /// - Parameter arguments: What follows `plugin check`.
  /// - Returns: The exit status: 0 all passed, 1 something failed, 2 not understood.
  static func run(_ arguments: ArraySlice<String>) -> Int32 {
    if Array(arguments) == ["--help"] || Array(arguments) == ["-h"] {
      print(CheckOrder.usage)
      return 0
    }
    let order: CheckOrder
    do throws(UsageError) {
      order = try CheckOrder(arguments)
    } catch {
      StandardError.write("\(error)\n\(CheckOrder.usage)")
      return 2
    }
    if order.isList {
      print(ValidatorRun.list)
      return 0
    }
    do throws(SystemError) {
      return try check(order)
    } catch {
      StandardError.write(
        "\(order.file): cannot be checked (\(error)); name a library that you may read"
      )
      return 1
    }
  }

  private static func check(_ order: CheckOrder) throws(SystemError) -> Int32 {
    let outcomes = try ValidatorRun(order).run { outcome in
      if !order.isJSON { print(outcome.text) }
    }
    let failed = outcomes.filter { $0.verdict == .failed }
    if order.isJSON {
      let report: JSON = [
        "library": .string(order.file), "passed": .bool(failed.isEmpty),
        "seed": .integer(Int64(clamping: order.seed)),
        "tests": .array(outcomes.map(\.json)),
      ]
      print(report.text)
    } else {
      print(summary(order, outcomes, failed))
    }
    return failed.isEmpty ? 0 : 1
  }

  private static func summary(
    _ order: CheckOrder,
    _ outcomes: [TestOutcome],
    _ failed: [TestOutcome]
  ) -> String {
    let passed = outcomes.count { $0.verdict == .passed }
    let skipped = outcomes.count { $0.verdict == .skipped }
    let counts = "\(passed) passed, \(failed.count) failed, \(skipped) skipped"
    guard let first = failed.first else { return "\(order.file): \(counts), seed \(order.seed)" }
    return """
      \(order.file): \(counts)
      again: gateway plugin check \(order.file) --seed \(order.seed) --only \(first.test)
      """
  }

  /// Runs the hidden verb that the validator starts for each test.
  static func runOne(_ arguments: ArraySlice<String>) -> Int32 {
    ValidatorChild.run(Array(arguments))
  }
}
