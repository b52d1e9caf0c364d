package import GatewayPlugin

/// The tokenizer as a file in the form of Hugging Face's `tokenizer.json`.
///
/// Model `BPE` with the pre-tokenizer and decoder `ByteLevel`; the `tokenizers` library loads it. One difference in
/// use: that library reads `<|user|>` in a text as the special, `Tokenizer.encode` never does.
extension Tokenizer {
  /// The whole file.
  package var json: JSON {
    let byteLevel: JSON = [
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
    ]
    return [
      "version": "1.0", "truncation": nil, "padding": nil,
      "added_tokens": .array(Special.allCases.map(Self.added)),
      "normalizer": nil, "pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel,
      "model": [
        "type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil,
        "end_of_word_suffix": nil, "fuse_unk": false, "byte_fallback": false,
        "ignore_merges": false,
        "vocab": .object(
          (0..<Int32(vocabulary)).map {
            .init(name: written($0), value: .integer(Int64($0)))
          }
        ),
        "merges": .array(
          merges.map { .array([.string(written($0.left)), .string(written($0.right))]) }
        ),
      ],
    ]
  }

  private static func added(_ special: Special) -> JSON {
    [
      "id": .integer(Int64(special.id)), "content": .string(special.name), "single_word": false,
      "lstrip": false, "rstrip": false, "normalized": false, "special": true,
    ]
  }

  /// The token as the file writes it: a special by name, others with one printable character a byte.
  private func written(_ token: Int32) -> String {
    if let special = Special(rawValue: token) { return special.name }
    return ByteCharacters.text(bytes(of: token))
  }

  /// Reads such a file.
  ///
  /// - Parameter json: As `json` gives it; merges may also be texts like `"a b"`, as older files have them.
  /// - Throws: `TokenizerError` naming the member that is missing, malformed or of a tokenizer that is not like ours.
  package init(json: JSON) throws(TokenizerError) {
    guard let model = json["model"] else { throw TokenizerError("model: missing") }
    guard model["type"]?.asString == "BPE" else {
      throw TokenizerError("model.type: must be BPE")
    }
    for name in ["pre_tokenizer", "decoder"] where json[name]?["type"]?.asString != "ByteLevel" {
      throw TokenizerError("\(name).type: must be ByteLevel")
    }
    let ids = try Self.vocabulary(model["vocab"])
    guard let written = model["merges"]?.asArray else {
      throw TokenizerError("model.merges: must be an array")
    }
    guard ids.count == Special.end + written.count else {
      throw TokenizerError(
        "model.merges: \(written.count) do not fit \(ids.count) tokens; wanted is one for each after the first 272"
      )
    }
    var merges: [Merge] = []
    for (index, value) in written.enumerated() {
      guard let (left, right) = Self.sides(value), let first = ids[left], let second = ids[right]
      else {
        throw TokenizerError("model.merges[\(index)]: must be two tokens of model.vocab")
      }
      merges.append(Merge(first, second))
    }
    try self.init(merges: merges)
    for token in 0..<Int32(vocabulary) where ids[self.written(token)] != token {
      throw TokenizerError("model.vocab: token \(token) must be \(self.written(token))")
    }
  }

  private static func vocabulary(_ json: JSON?) throws(TokenizerError) -> [String: Int32] {
    guard let members = json?.asMembers else {
      throw TokenizerError("model.vocab: must be an object of tokens and their ids")
    }
    guard (Special.end...largestVocabulary).contains(members.count) else {
      throw TokenizerError(
        "model.vocab: has \(members.count) tokens; wanted are \(Special.end)...\(largestVocabulary)"
      )
    }
    var ids: [String: Int32] = [:]
    for member in members {
      guard let id = member.value.asInteger, id >= 0, id < members.count else {
        throw TokenizerError(
          "model.vocab: each id must be a whole number, 0...\(members.count - 1)"
        )
      }
      ids[member.name] = Int32(id)
    }
    return ids
  }

  private static func sides(_ json: JSON) -> (String, String)? {
    let sides =
      json.asArray?.compactMap(\.asString) ?? json.asString?.split(separator: " ").map(String.init)
    guard let sides, sides.count == 2, json.asArray.map({ $0.count == 2 }) ?? true else {
      return nil
    }
    return (sides[0], sides[1])
  }
}

/// The printable character for each byte that files of byte-level tokens use, after GPT-2's `bytes_to_unicode`.
///
/// Bytes that print are themselves, as Latin-1; the others follow from U+0100 on, in order.
enum ByteCharacters {
  private static let table: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0...255).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(UInt8(byte))
      default:
        defer { next += 1 }
        guard let scalar = Unicode.Scalar(next) else {
          preconditionFailure("U+0100... are scalars")
        }
        return scalar
      }
    }
  }()

  /// One character for each of `bytes`.
  static func text(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(table[Int(byte)]) }
    return String(text)
  }
}
