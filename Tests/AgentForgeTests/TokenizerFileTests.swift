import GatewayPlugin
import Testing

@testable import AgentForge

@Suite("The tokenizer's file")
struct TokenizerFileTests {
  @Test("a tokenizer comes back from its file, with every byte and merge")
  func aTokenizerComesBack() throws {
    for tokenizer in [
      Tokenizer.bytes, try TokenizerTests.small(),
      BPETrainer.train(on: [BPETrainerTests.text], vocabulary: 330),
    ] {
      #expect(try Tokenizer(json: JSON.parse(tokenizer.json.bytes)) == tokenizer)
    }
  }

  @Test("merges written as texts are read too")
  func mergesWrittenAsTextsAreRead() throws {
    let tokenizer = try TokenizerTests.small()
    let texts = (tokenizer.json["model"]?["merges"]?.asArray ?? []).map { pair in
      JSON.string((pair.asArray ?? []).compactMap(\.asString).joined(separator: " "))
    }
    #expect(try Tokenizer(json: Self.changed(tokenizer.json, "merges", .array(texts))) == tokenizer)
  }

  /// The file with one member of its model changed.
  static func changed(_ json: JSON, _ name: String, _ value: JSON) -> JSON {
    func replacing(_ json: JSON, _ name: String, _ value: JSON) -> JSON {
      .object(
        (json.asMembers ?? []).map { $0.name == name ? .init(name: name, value: value) : $0 }
      )
    }
    return replacing(json, "model", replacing(json["model"] ?? nil, name, value))
  }

  private static func refusal(_ json: JSON) -> String {
    do {
      _ = try Tokenizer(json: json)
      return ""
    } catch { return error.description }
  }

  @Test("anything malformed is refused by its place")
  func anythingMalformedIsRefused() throws {
    let json = try TokenizerTests.small().json
    let vocabulary = json["model"]?["vocab"]?.asMembers ?? []
    func vocab(_ change: (inout [JSON.Member]) -> Void) -> JSON {
      var members = vocabulary
      change(&members)
      return Self.changed(json, "vocab", .object(members))
    }
    #expect(Self.refusal(nil) == "model: missing")
    #expect(Self.refusal(Self.changed(json, "type", "WordPiece")) == "model.type: must be BPE")
    #expect(Self.refusal(["model": ["type": "BPE"]]) == "pre_tokenizer.type: must be ByteLevel")
    #expect(
      Self.refusal(Self.changed(json, "vocab", 1))
        == "model.vocab: must be an object of tokens and their ids"
    )
    #expect(
      Self.refusal(vocab { $0.removeLast(6) })
        == "model.vocab: has 271 tokens; wanted are 272...65536"
    )
    #expect(
      Self.refusal(vocab { $0[3].value = 277 })
        == "model.vocab: each id must be a whole number, 0...276"
    )
    #expect(
      Self.refusal(vocab { $0[3].value = "3" })
        == "model.vocab: each id must be a whole number, 0...276"
    )
    #expect(Self.refusal(vocab { $0[65].value = 66 }) == "model.vocab: token 65 must be A")
    #expect(
      Self.refusal(vocab { $0[258].name = "<|human|>" })
        == "model.vocab: token 258 must be <|user|>"
    )
    #expect(
      Self.refusal(vocab { $0.removeLast() }).hasPrefix("model.merges: 5 do not fit 276 tokens")
    )
    #expect(Self.refusal(Self.changed(json, "merges", 5)) == "model.merges: must be an array")
    for merge in ["a", "a b c", "a ☃", 1, ["a"], ["a", "b", 1], ["a", "☃"]] as [JSON] {
      let merges = JSON.array([merge] + (json["model"]?["merges"]?.asArray ?? []).dropFirst())
      #expect(
        Self.refusal(Self.changed(json, "merges", merges))
          == "model.merges[0]: must be two tokens of model.vocab"
      )
    }
  }
}
