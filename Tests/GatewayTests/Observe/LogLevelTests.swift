import Testing

@testable import Gateway

@Suite("Log levels")
struct LogLevelTests {
  @Test func `rise from debug to error, and each name is its level`() {
    #expect(LogLevel.allCases.map(\.name) == ["debug", "info", "warning", "error"])
    #expect(LogLevel.allCases.sorted() == LogLevel.allCases)
    for level in LogLevel.allCases { #expect(LogLevel(name: level.name) == level) }
  }

  @Test(arguments: ["", "INFO", "warn", "fatal", " info"]) func `other words are none`(
    _ name: String
  ) {
    #expect(LogLevel(name: name) == nil)
  }
}
