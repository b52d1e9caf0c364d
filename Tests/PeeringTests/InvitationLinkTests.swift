import Peering
import Testing

@Suite("Invitation links")
struct InvitationLinkTests {
  static func endpoint(_ text: String) -> Endpoint {
    guard let endpoint = Endpoint(text: text) else { preconditionFailure("\(text) is an address") }
    return endpoint
  }

  static let link = InvitationLink(
    endpoint: endpoint("203.0.113.7:7946"),
    peer: Identity(seed: [UInt8](repeating: 1, count: 32)).id,
    secret: Array(0..<16),
    isForNode: true
  )

  @Test("a link reads back as it was written, for both versions of IP")
  func roundTrip() throws {
    #expect(try InvitationLink(text: "\(Self.link)") == Self.link)
    let six = InvitationLink(
      endpoint: Self.endpoint("[2001:db8::1]:1"),
      peer: Self.link.peer,
      secret: Self.link.secret,
      isForNode: false
    )
    #expect(try InvitationLink(text: "\(six)") == six)
    #expect("\(six)".contains("[2001:db8::1]:1") && "\(six)".hasSuffix("node=0"))
  }

  @Test("every link that is cut short, and every changed part, is refused with a reason")
  func refusals() {
    let text = "\(Self.link)"
    for count in 0..<text.count {
      #expect(throws: MalformedPacket.self) { try InvitationLink(text: String(text.prefix(count))) }
    }
    let changes = [
      ("aivillage://", "https://"), ("203.0.113.7", "example.org"), (":7946", ":0"),
      (":7946", ":70000"),
      ("203.0.113.7", "0.0.0.0"), ("/join?", "/jion?"), ("node=1", "node=2"),
      ("node=1", "node=1&node=1"),
      ("node=1", "node=1&more=1"), ("peer=", "peer=A"), ("secret=", "secret=A"), ("&", "&&x&"),
    ]
    for (part, other) in changes {
      let changed = text.split(separator: part, maxSplits: 1, omittingEmptySubsequences: false)
        .joined(separator: other)
      #expect(throws: MalformedPacket.self, "\(changed)") { try InvitationLink(text: changed) }
    }
    #expect(throws: MalformedPacket.self) {
      try InvitationLink(text: text + String(repeating: "&", count: 512))
    }
  }

  @Test("an endpoint is an address and a port, never a name")
  func endpoints() {
    for text in ["127.0.0.1:0", "255.255.255.255:65535", "[::]:1", "[fe80::1]:7946"] {
      #expect(Endpoint(text: text)?.description == text)
    }
    for text in [
      "", ":1", "localhost:1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536",
      "::1:1",
      "[127.0.0.1]:1", "[::1]", "127.0.0.01:1", "1.2.3:4", "[::1:1", "127.0.0.1:+1",
    ] {
      #expect(Endpoint(text: text) == nil, "\(text)")
    }
  }
}
