import GatewayPlugin
import Peering
import Testing

@testable import P2PFog

@Suite("Requests to send a message")
struct MessageRequestTests {
  static let peer = Identity(seed: [UInt8](repeating: 1, count: 32)).id

  static func read(_ text: String) throws -> (request: MessageRequest, errors: [String]) {
    var fields = Fields(try JSON.parse(Array(text.utf8)))
    let request = MessageRequest(&fields)
    do {
      try fields.finish()
      return (request, [])
    } catch {
      return (request, error.details?.asArray?.compactMap { $0["field"]?.asString } ?? ["?"])
    }
  }

  @Test("a recipient is a peer, a user of a peer, a user here, or everyone")
  func recipients() throws {
    func recipient(_ text: String) throws -> MessageRequest.Recipient? {
      let (request, errors) = try Self.read(#"{"recipient":"\#(text)","message":{"payload":{}}}"#)
      return errors.isEmpty ? request.recipient : nil
    }
    #expect(try recipient("\(Self.peer)") == .peer(Self.peer, user: ""))
    #expect(try recipient("a@b@\(Self.peer)") == .peer(Self.peer, user: "a@b"))
    #expect(try recipient("ada") == .local(user: "ada"))
    #expect(try recipient("*") == .everyone)
    #expect(try recipient("ada@nowhere") == nil)
    #expect(try recipient("@\(Self.peer)") == nil)
    #expect(try recipient("") == nil)
    let longest = String(repeating: "u", count: 128)
    #expect(try recipient("\(longest)@\(Self.peer)") == .peer(Self.peer, user: longest))
    #expect(try recipient("\(longest)u@\(Self.peer)") == nil)
  }

  @Test("a priority is a number from 1 to 10 or a word")
  func priorities() throws {
    func priority(_ text: String) throws -> Int? {
      let (request, errors) = try Self.read(
        #"{"recipient":"ada","message":{},"priority":\#(text)}"#
      )
      return errors.isEmpty ? request.priority : nil
    }
    #expect(try priority("1") == 1)
    #expect(try priority("10") == 10)
    #expect(try priority("0") == nil)
    #expect(try priority("11") == nil)
    #expect(try priority(#""high""#) == 8)
    #expect(try priority(#""whatever""#) == nil)
  }

  @Test("what cannot be had is refused by its field")
  func refusals() throws {
    func errors(_ more: String, recipient: String = "ada") throws -> [String] {
      try Self.read(#"{"recipient":"\#(recipient)","message":{"payload":1},\#(more)}"#).errors
    }
    #expect(try errors(#""encryption":false"#) == ["encryption"])
    #expect(try errors(#""delivery_receipt":false"#) == ["delivery_receipt"])
    #expect(try errors(#""transport":"pigeon""#) == ["transport"])
    #expect(try errors(#""hops":3"#) == ["hops"])
    #expect(try errors(#""transport":"betanet","hops":3"#).isEmpty)
    #expect(try errors(#""transport":"betanet","hops":1"#) == ["hops"])
    #expect(try errors(#""transport":"betanet""#, recipient: "*") == ["transport"])
    #expect(try errors(#""wait_seconds":31"#) == ["wait_seconds"])
    #expect(try errors(#""colour":"red""#) == ["colour"])
    #expect(try Self.read(#"{"recipient":"ada"}"#).errors == ["message"])
    #expect(
      try Self.read(#"{"recipient":"ada","message":{"type":"Bad Type"}}"#).errors == [
        "message.type"
      ]
    )
  }

  @Test("a payload may have 64 KiB as JSON and no byte more")
  func payloadLimit() throws {
    func errors(_ count: Int) throws -> [String] {
      let text = String(repeating: "x", count: count - 2)
      return try Self.read(#"{"recipient":"ada","message":{"payload":"\#(text)"}}"#).errors
    }
    #expect(try errors(PeerMessage.payloadLimit).isEmpty)
    #expect(try errors(PeerMessage.payloadLimit + 1) == ["message.payload"])
  }
}
