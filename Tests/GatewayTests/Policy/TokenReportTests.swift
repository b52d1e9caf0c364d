import Testing

@testable import Gateway

@Suite("What token inspect says")
struct TokenReportTests {
  @Test func `a valid token is told in words`() {
    let report = TokenReport(Array(pyJWTToken.utf8), authenticator(), now: tokenTime)
    #expect(report.isAccepted)
    #expect(report.lines[0].hasPrefix("valid"))
    #expect(report.lines.contains("user       user123"))
    #expect(report.lines.contains("scopes     read write"))
    #expect(report.lines.contains("expires    2023-11-15T22:13:20Z, in 23 hours"))
    #expect(report.lines.contains("issued     2023-11-14T22:13:20Z, 1 minute ago"))
  }

  @Test func `an expired one is shown and refused`() {
    let report = TokenReport(Array(pyJWTToken.utf8), authenticator(), now: 1_700_300_000)
    #expect(!report.isAccepted)
    #expect(report.lines[0].contains("expired"))
    #expect(report.lines.contains("expires    2023-11-15T22:13:20Z, 2 days ago"))
  }

  @Test func `without a key nothing is accepted`() {
    let report = TokenReport(Array(pyJWTToken.utf8), nil, now: tokenTime)
    #expect(!report.isAccepted && report.lines[0].hasPrefix("unchecked"))
  }

  @Test func `what is no token is one line`() {
    let report = TokenReport(Array("\u{1B}[2J".utf8), authenticator(), now: 0)
    #expect(!report.isAccepted && report.lines.count == 1)
  }

  @Test func `nothing of a token acts on the terminal`() {
    let bytes = token(#"{"sub":"a\u001b\u009b2J","exp":1,"x":"\#u{9B}31m\#u{7F}"}"#)
    let text = TokenReport(bytes, authenticator(), now: 0).lines.joined()
    #expect(SettingsValue.isPrintable(text))
    #expect(text.contains("\\u009b31m"))
  }

  @Test func `times far away are told too`() {
    #expect(TokenReport.moment(253_402_300_799, 0) == "253402300799 s since 1970, in 2932896 days")
    #expect(TokenReport.moment(5, 5) == "1970-01-01T00:00:05Z, now")
    #expect(TokenReport.moment(0, 1) == "1970-01-01T00:00:00Z, 1 second ago")
  }
}
