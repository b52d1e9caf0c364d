import GatewayPlugin
import Peering
import Testing

@testable import P2PFog

@Suite("Requests to make a peer known")
struct PeerOrderTests {
  static let peer = Identity(seed: [UInt8](repeating: 1, count: 32)).id

  static func read(_ text: String) throws -> (order: PeerOrder?, errors: [String]) {
    var fields = Fields(try JSON.parse(Array(text.utf8)))
    let order = PeerOrder(&fields)
    do {
      try fields.finish()
      return (order, [])
    } catch {
      return (order, error.details?.asArray?.compactMap { $0["field"]?.asString } ?? ["?"])
    }
  }

  @Test("a peer is named by its id and one address")
  func peers() throws {
    let endpoint = try #require(Endpoint(text: "203.0.113.7:7946"))
    let (order, errors) = try Self.read(
      #"{"peer_id":"\#(Self.peer)","endpoint":"203.0.113.7:7946","node":true}"#
    )
    #expect(errors.isEmpty && order == .peer(Self.peer, endpoint, mayBeNode: true))
  }

  @Test("what is missing is named once")
  func missing() throws {
    #expect(try Self.read("{}").errors == ["peer_id", "endpoint"])
    #expect(try Self.read(#"{"peer_id":"ab","endpoint":""}"#).errors == ["peer_id", "endpoint"])
  }

  @Test(
    "an address where nobody can be is refused by its field",
    arguments: ["203.0.113.7:0", "0.0.0.0:7946", "[::]:7946", "host:7946", "203.0.113.7"]
  )
  func addresses(_ endpoint: String) throws {
    let (order, errors) = try Self.read(
      #"{"peer_id":"\#(Self.peer)","endpoint":"\#(endpoint)"}"#
    )
    #expect(order == nil && errors == ["endpoint"])
  }

  @Test("an invitation stands alone, and is not repeated when it is refused")
  func invitations() throws {
    let link = InvitationLink(
      endpoint: try #require(Endpoint(text: "203.0.113.7:7946")),
      peer: Self.peer,
      secret: [UInt8](repeating: 9, count: 16),
      isForNode: false
    )
    #expect(try Self.read(#"{"invitation":"\#(link)"}"#).order == .invitation(link))
    #expect(try Self.read(#"{"invitation":"\#(link)","node":true}"#).errors == ["node"])
    #expect(try Self.read(#"{"invitation":"\#(link)x"}"#).errors == ["invitation"])
    // Whoever sends an invitation that is none is not asked for what stands instead of one.
    for none in [#""""#, "5", "[]"] {
      #expect(try Self.read(#"{"invitation":\#(none)}"#).errors == ["invitation"])
    }
  }
}
