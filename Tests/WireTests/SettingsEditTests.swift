import Testing
import Wire

@Suite("A change in a settings file")
struct SettingsEditTests {
  private static func set(_ text: String, to value: JSON = false) throws -> String {
    let changed = try SettingsDocument.setting("enabled", to: value, in: Array(text.utf8))
    // Whatever came out is a file that says so.
    #expect(try SettingsDocument.parse(changed).root["enabled"]?.json == value)
    return String(decoding: changed, as: UTF8.self)
  }

  @Test(arguments: [
    (#"{"enabled": true}"#, #"{"enabled": false}"#),
    (#"{"enabled":true,"library":"a"}"#, #"{"enabled":false,"library":"a"}"#),
    (
      "{\n  \"library\": \"a\",\n  \"enabled\" /* on? */ : /* yes */ true /* so */, // indeed\n}\n",
      "{\n  \"library\": \"a\",\n  \"enabled\" /* on? */ : /* yes */ false /* so */, // indeed\n}\n"
    ),
    (#"{"enabled": {"x": [1, "}", 2]} , "b": 1}"#, #"{"enabled": false , "b": 1}"#),
    (
      #"{"settings": {"enabled": true}, "enabled": null}"#,
      #"{"settings": {"enabled": true}, "enabled": false}"#
    ),
    (#"{"enabl\u0065d": true}"#, #"{"enabl\u0065d": false}"#),
    ("\u{FEFF}// one\n{\"enabled\":true}", "\u{FEFF}// one\n{\"enabled\":false}"),
  ])
  func `replaces the value where it stands`(_ text: String, _ expected: String) throws {
    #expect(try Self.set(text) == expected)
  }

  @Test(arguments: [
    ("{}", #"{"enabled": false}"#),
    ("{ }", #"{"enabled": false }"#),
    ("{\n}\n", "{\n  \"enabled\": false\n}\n"),
    ("{ // nothing\n}", "{ // nothing\n  \"enabled\": false\n}"),
    (#"{"library": "a"}"#, #"{"enabled": false, "library": "a"}"#),
    (#"{ "library": "a" }"#, #"{"enabled": false,  "library": "a" }"#),
    (
      "// the file\n{\n    \"library\": \"a\", // b\n}\n",
      "// the file\n{\n    \"enabled\": false,\n    \"library\": \"a\", // b\n}\n"
    ),
    (
      "{ // first } line\n\t// of the library\n\t\"library\": \"a\"\n}",
      "{ // first } line\n\t\"enabled\": false,\n\t// of the library\n\t\"library\": \"a\"\n}"
    ),
    (
      "{\r\n  \"library\": \"a\"\r\n}\r\n",
      "{\r\n  \"enabled\": false,\r\n  \"library\": \"a\"\r\n}\r\n"
    ),
    ("{ /* a\n b */ \"library\": \"a\"}", "{\"enabled\": false,  /* a\n b */ \"library\": \"a\"}"),
    ("{\"library\": \"a\",\n}", "{\"enabled\": false, \"library\": \"a\",\n}"),
    (#"{"settings": {"enabled": true}}"#, #"{"enabled": false, "settings": {"enabled": true}}"#),
  ])
  func `adds what is not there as the first member`(_ text: String, _ expected: String) throws {
    #expect(try Self.set(text) == expected)
  }

  @Test func `and back gives the bytes there were`() throws {
    let text = "{\n  // on\n  \"enabled\" : true, // or off\n  \"library\": \"a\",\n}\n"
    #expect(try Self.set(try Self.set(text), to: true) == text)
  }

  @Test func `a file cut anywhere is refused or changed, never spoilt`() throws {
    let text = Array(
      "{\n \"library\": \"a\\\"b\", /* { */\n \"enabled\": [true, {}], // }\n}\n".utf8
    )
    for count in 0..<text.count {
      let cut = Array(text.prefix(count))
      guard let changed = try? SettingsDocument.setting("enabled", to: false, in: cut) else {
        continue
      }
      #expect(try SettingsDocument.parse(changed).root["library"]?.json == "a\"b")
    }
  }

  @Test(arguments: ["", "[]", "true", "\"enabled\"", "{", "{\"a\": 1} x", "{\"a\": 1, \"a\": 2}"])
  func `what is no object, or no settings file, is refused`(_ text: String) {
    #expect(throws: JSONError.self) {
      try SettingsDocument.setting("enabled", to: false, in: Array(text.utf8))
    }
  }
}
