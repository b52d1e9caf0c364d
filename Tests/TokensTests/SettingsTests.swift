import Foundation
import Testing
import Wire

@testable import GatewayPlugin
@testable import Tokens

@Suite("Settings and header fields")
struct SettingsTests {
  static func faults(_ text: String) throws -> [String] {
    var fields = Fields(try JSON.parse(Array(text.utf8)))
    _ = TokensSettings(&fields)
    return fields.collected(.refused).map(\.field)
  }

  @Test("without settings the defaults hold")
  func defaults() throws {
    var fields = Fields([:])
    let settings = TokensSettings(&fields)
    #expect(settings == TokensSettings() && fields.collected(.refused).isEmpty)
    #expect(settings.rules.policy.amount(.signupGrant).description == "1000")
    #expect(settings.rules.policy.amount(.transferFee).description == "0.01")
    #expect(settings.rules.policy.amount(.taskReward).description == "0.1")
    for parameter in PolicyParameter.allCases {
      #expect(parameter.range.contains(parameter.defaultValue))
      #expect(parameter.read(parameter.json(parameter.defaultValue)) == parameter.defaultValue)
    }
  }

  @Test("the file of plugins.d shows the defaults, all of them")
  func file() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../plugins.d/40-tokens.json")
    let document = try SettingsDocument.parse([UInt8](Data(contentsOf: root)))
    let json = try #require(document.root["settings"]?.json)
    var fields = Fields(json)
    #expect(TokensSettings(&fields) == TokensSettings() && fields.collected(.refused).isEmpty)
    #expect(json.asMembers?.count == PolicyParameter.allCases.count + 6)
  }

  @Test(
    "a bad setting is named",
    arguments: [
      (#"{"transfer_fee": 0.01}"#, ["transfer_fee"]), (#"{"transfer_fee": "x"}"#, ["transfer_fee"]),
      (#"{"minimum_stake": "0"}"#, ["minimum_stake"]),
      (#"{"staking_apy_basis_points": 10001}"#, ["staking_apy_basis_points"]),
      (#"{"maximum_supply": "10000000000.1"}"#, ["maximum_supply"]),
      (#"{"maximum_supply": "5", "initial_supply": "6"}"#, ["initial_supply"]),
      (#"{"governable": []}"#, ["governable"]),
      (#"{"governable": {"x": [0, 1]}}"#, ["governable.x"]),
      (#"{"governable": {"transfer_fee": ["1", "0"]}}"#, ["governable.transfer_fee"]),
      (#"{"governable": {"transfer_fee": ["1"]}}"#, ["governable.transfer_fee"]),
      (
        #"{"nonsense": 1, "audit_seconds": 0, "idempotency_days": 3651}"#,
        ["idempotency_days", "audit_seconds", "nonsense"]
      ),
      (#"{"trusted_callers": [""]}"#, ["trusted_callers[0]"]),
      (
        #"{"trusted_callers": [], "governable": {}, "voting_seconds": 1, "timelock_seconds": 0}"#,
        []
      ),
    ] as [(String, [String])]
  )
  func bad(_ text: String, _ fields: [String]) throws { #expect(try Self.faults(text) == fields) }

  @Test(
    "an idempotency key has 16 to 64 visible characters, bare or quoted",
    arguments: [
      ("0123456789abcdef", "0123456789abcdef"), ("\"0123456789abcdef\"", "0123456789abcdef"),
      ("0123456789abcde", nil), ("\"0123456789abcde\"", nil),
      (String(repeating: "k", count: 64), String(repeating: "k", count: 64)),
      (String(repeating: "k", count: 65), nil), ("0123456789 abcdef", nil),
      ("0123456789abcdé", nil), ("", nil), ("\"", nil), ("\"\"", nil),
      ("0123456789\"abcdef", nil),
    ] as [(String, String?)]
  )
  func keys(_ value: String, _ key: String?) { #expect(IdempotencyField.parse(value) == key) }

  @Test("no user can have an account of the ledger or of a node")
  func names() throws {
    for name in ["system:treasury", "system:supply", "system:", "fog:n1", "fog:"] {
      #expect(!AccountName.isUser(name))
    }
    for name in ["alice", "System:x", "fogger", "systems:x"] { #expect(AccountName.isUser(name)) }
    for name in ["", "a\u{0}b", "a\n", "\u{7F}", String(repeating: "x", count: 256)] {
      #expect(!AccountName.isWellFormed(name))
    }
    #expect(AccountName.isWellFormed(String(repeating: "é", count: 255)))
    for subject in ["system:treasury", "fog:n1", ""] {
      let caller = Caller(
        subject: subject,
        scopes: [],
        tier: "",
        isAuthenticated: true,
        hasSecondFactor: false
      )
      #expect(throws: Failure.self) { try caller.account() }
    }
  }

  @Test(
    "an amount of a request is a decimal text above 0",
    arguments: [
      #"{"amount": 5}"#, #"{"amount": "0"}"#, #"{"amount": "0.0"}"#, #"{"amount": "-1"}"#,
      #"{"amount": null}"#, #"{}"#, #"{"amount": "1e3"}"#, #"{"amount": ["1"]}"#,
    ]
  )
  func amounts(_ text: String) throws {
    var fields = Fields(try JSON.parse(Array(text.utf8)))
    _ = fields.amount("amount")
    #expect(fields.collected(.refused).map(\.field) == ["amount"])
  }
}
