import Glibc
import Wire

/// A library to be validated, as `gateway plugin check` was told.
package struct CheckOrder: Equatable, Sendable {
  package static let usage = """
    usage: gateway plugin check FILE [--settings JSON|@FILE] [--only TEST] [--seed N] [--answer-time SECONDS] [--json]
           gateway plugin check --list
    Tests the plugin library FILE, each test in a process of its own. Exit status 1 when one fails.
    (Files of plugins.d are checked by `gateway check`.)
      --settings     what the plugin is created with, as in its file of plugins.d (default: {})
      --only         this test alone; may be written several times
      --seed         draws the same random bodies and cuts again
      --answer-time  seconds that a route may take to answer, and half of what create may take (default: 5)
      --json         one JSON object instead of lines
      --list         the tests, and what each catches
    """

  /// Bytes of settings.
  package static let maxSettingsBytes = 1024 * 1024

  /// The library.
  package private(set) var file = ""
  /// What instances are created with.
  package private(set) var settings = Array("{}".utf8)
  /// Names of the tests to run; all when empty.
  package private(set) var only: [String] = []
  package private(set) var seed: UInt64 = .random(in: 0...999_999_999)
  package private(set) var answerTime = Duration.seconds(5)
  package private(set) var isJSON = false
  package private(set) var isList = false

  /// Reads the arguments after `plugin check`.
  ///
  /// - Parameter arguments: A file, and options as `--name value` or `--name=value`.
  /// - Throws: `UsageError` with everything that is wrong.
  package init(_ arguments: ArraySlice<String>) throws(UsageError) {
    var problems: [String] = []
    var files: [String] = []
    var rest = arguments
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-") else {
        files.append(argument)
        continue
      }
      switch argument {
      case "--json": isJSON = true
      case "--list": isList = true
      default:
        let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let option = String(parts[0])
        guard ["--settings", "--only", "--seed", "--answer-time"].contains(option) else {
          problems.append("\(argument.debugDescription): there is no such option")
          continue
        }
        guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst(), !value.isEmpty
        else {
          problems.append("\(option): write a value after it")
          continue
        }
        if let problem = take(option, value) { problems.append("\(option): \(problem)") }
      }
    }
    file = files.first ?? ""
    if files.count != 1, !isList { problems.append("FILE: write one, not \(files.count)") }
    if file.hasSuffix(".json") || file.hasSuffix(".jsonc") {
      problems.append(
        "FILE: name the library; what plugins.d says is checked by: gateway check \(file)"
      )
    }
    guard problems.isEmpty else { throw UsageError(problems) }
  }

  /// Returns what to write instead when the value is refused.
  private mutating func take(_ option: String, _ value: String) -> String? {
    switch option {
    case "--settings": return takeSettings(value)
    case "--only":
      guard ValidatorRun.names.contains(value) else {
        return "there is no test \(value.debugDescription); --list names them"
      }
      only.append(value)
    case "--seed":
      guard let number = UInt64(value) else { return "write a whole number from 0" }
      seed = number
    default:
      guard let seconds = Double(value), seconds >= 0.1, seconds <= 600 else {
        return "write seconds from 0.1 to 600"
      }
      answerTime = .milliseconds(Int64(seconds * 1000))
    }
    return nil
  }

  private mutating func takeSettings(_ value: String) -> String? {
    var bytes = Array(value.utf8)
    if value.hasPrefix("@") {
      let path = String(value.dropFirst())
      do throws(FileBytes.Refusal) {
        bytes = try FileBytes.read(path, limit: Self.maxSettingsBytes)
      } catch {
        return "\(path.debugDescription) cannot be read: \(error)"
      }
    }
    guard bytes.count <= Self.maxSettingsBytes else {
      return "at most \(Self.maxSettingsBytes) bytes"
    }
    do throws(JSONError) {
      guard case .object = try JSON.parse(bytes) else { return "write a JSON object" }
    } catch {
      return "not JSON at line \(error.line), column \(error.column): \(error.reason)"
    }
    settings = bytes
    return nil
  }
}
