import Testing
import Wire

@testable import Gateway

@Suite("Files of plugins.d")
struct PluginFileTests {
  private func read(_ text: String) throws(PluginFileError) -> PluginFile {
    try PluginFile(Array(text.utf8), path: "plugins.d/10-x.json")
  }

  @Test func `reads all keys`() throws {
    let file = try read(
      """
      // Why it is here.
      {
        "library": "utilities",  /* beside the binary */
        "enabled": false,
        "settings": { "a": [1, 2,], },
        "limits": { "in_flight": 5, "body_bytes": 0, "timeout_seconds": 86400 },
      }
      """
    )
    #expect(file.library == "utilities")
    #expect(file.libraryPosition == .init(line: 3, column: 14))
    #expect(!file.isEnabled)
    #expect(String(decoding: file.settings, as: UTF8.self) == #"{"a":[1,2]}"#)
    #expect(file.ceilings.inFlight == 5)
    #expect(file.ceilings.bodyBytes == 0)
    #expect(file.ceilings.timeout == .seconds(86_400))
    #expect(file.label == "x")
  }

  @Test func `what is left out has its default`() throws {
    let file = try read(#"{"library": "x"}"#)
    #expect(file.isEnabled)
    #expect(file.settings == Array("{}".utf8))
    #expect(file.ceilings == PluginFile.Ceilings())
  }

  @Test(arguments: [
    ("{", "plugins.d/10-x.json:1:2: error: a name in double quotes is expected here"),
    ("[]", "plugins.d/10-x.json:1:1: error: \"(the file)\" must be an object, not a list"),
    (
      "{\n}",
      "plugins.d/10-x.json:1:1: error: \"library\" is missing; add a line such as \"library\": \"utilities\""
    ),
    (
      #"{"library": 5}"#,
      "plugins.d/10-x.json:1:13: error: \"library\" must be a text, not a number"
    ),
    (
      #"{"library": ""}"#,
      "plugins.d/10-x.json:1:13: error: \"library\" is empty; name a library, such as \"utilities\""
    ),
    (
      "{\n  \"enable\": true}",
      "plugins.d/10-x.json:2:3: error: unknown key \"enable\"; did you mean \"enabled\"?"
    ),
    (
      #"{"colour": 1}"#,
      "plugins.d/10-x.json:1:2: error: unknown key \"colour\"; allowed here: library, enabled, settings, limits, signed_by, force_unsigned, isolation, grants"
    ),
    (
      #"{"enabled": "yes"}"#,
      "plugins.d/10-x.json:1:13: error: \"enabled\" must be true or false, not a text"
    ),
    (
      #"{"settings": []}"#,
      "plugins.d/10-x.json:1:14: error: \"settings\" must be an object, not a list"
    ),
    (
      #"{"limits": {"in_fligt": 1}}"#,
      "plugins.d/10-x.json:1:13: error: unknown key \"in_fligt\"; did you mean \"in_flight\"?"
    ),
    (
      #"{"limits": {"in_flight": 0}}"#,
      "plugins.d/10-x.json:1:26: error: \"in_flight\" must be a whole number from 1 to 1000000"
    ),
    (
      #"{"limits": {"timeout_seconds": 86401}}"#,
      "plugins.d/10-x.json:1:32: error: \"timeout_seconds\" must be a whole number from 1 to 86400"
    ),
    (
      #"{"library": "a", "library": "b"}"#,
      "plugins.d/10-x.json:1:18: error: \"library\" stands twice in the same object"
    ),
  ])
  func `says what is wrong, where, and what to do`(_ text: String, _ message: String) {
    let error = #expect(throws: PluginFileError.self) { try read(text) }
    #expect(error?.description == message)
  }

  @Test func `refuses a file at every cut`() throws {
    let text = #"{"library": "x", "limits": {"in_flight": 5}}"#
    for count in 0..<text.utf8.count {
      #expect(throws: PluginFileError.self) { try read(String(text.prefix(count))) }
    }
    _ = try read(text)
  }

  @Test func `is at most one mebibyte long`() throws {
    let start = #"{"library": "x"}"#
    let space = String(repeating: " ", count: PluginFile.maxBytes - start.utf8.count)
    _ = try read(start + space)
    let error = #expect(throws: PluginFileError.self) { try read(start + space + " ") }
    #expect(error?.fault == .tooLong(limit: PluginFile.maxBytes))
  }

  @Test(arguments: [
    ("utilities", ["lib/libutilities.so", "lib/utilities.so", "lib/utilities"]),
    ("./x.so", ["plugins.d/./x.so"]), ("../p/x.so", ["plugins.d/../p/x.so"]),
    ("/opt/x.so", ["/opt/x.so"]),
  ])
  func `finds a library by name, beside the file, or where it is`(
    _ library: String,
    _ places: [String]
  ) throws {
    #expect(try read(#"{"library": "\#(library)"}"#).candidates(in: "lib") == places)
  }

  @Test(arguments: [
    ("10-x.json", true), ("1-x.jsonc", true), ("x.json", false), ("-x.json", false),
    ("10-.json", false), ("12345-x.json", false),
  ])
  func `has a number and a name`(_ name: String, _ isGood: Bool) {
    #expect(PluginFile.isNumbered(name) == isGood)
  }
}
