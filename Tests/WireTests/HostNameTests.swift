import Testing
import Wire

@Suite("Host names, RFC 9110 §7.2")
struct HostNameTests {
  @Test(arguments: [
    ("a", true), ("example.org", true), ("127.0.0.1:8000", true), ("a:", true), ("a:65535", true),
    ("[::1]", true), ("[2001:db8::1]:443", true), ("[::ffff:1.2.3.4]", true), ("xn--bcher", true),
    ("a_b.local", true), ("", false), (":80", false), ("a:1234567", false), ("[::1]80", false),
    ("[]", false), ("[g]", false), ("[::1", false), ("::1", false), ("a/b", false), ("a@b", false),
    ("a b", false), ("a,b", true), ("é", false), ("a\\b", false), ("a:8 0", false),
    ("[fe80::1%25eth0]", false),
  ])
  func `takes a name or an address with an optional port`(
    _ text: String,
    _ isValid: Bool
  ) throws {
    #expect(
      try withGuardedBytes(Array(text.utf8)) { HostName.isValid($0, 0..<$0.count) } == isValid
    )
  }
}
