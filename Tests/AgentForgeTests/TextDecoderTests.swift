import Testing

@testable import AgentForge

@Suite("Text decoded token by token")
struct TextDecoderTests {
  private func decode(_ bytes: [UInt8]) -> (parts: [String], whole: String) {
    var decoder = TextDecoder(.bytes)
    var parts = bytes.map { decoder.append(Int32($0)) }
    parts.append(decoder.finish())
    return (parts, parts.joined())
  }

  @Test("a character is given when its last byte has come")
  func aCharacterIsGivenWhole() {
    #expect(decode(Array("é€😀a".utf8)).parts == ["", "é", "", "", "€", "", "", "", "😀", "a", ""])
  }

  @Test("text cut at every byte is what its bytes are")
  func textCutAtEveryByte() {
    let bytes = Array("aé€😀 \u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}".utf8)
    for end in 0...bytes.count {
      #expect(decode(Array(bytes[..<end])).whole == String(decoding: bytes[..<end], as: UTF8.self))
    }
  }

  @Test("bytes that are no UTF-8 become U+FFFD, as when they are read at once")
  func badBytesBecomeReplacements() {
    let leads: [UInt8] = [
      0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xE0, 0xE1, 0xED, 0xF0, 0xF4, 0xF5,
    ]
    for one in leads {
      for two in leads {
        for three in [0x41, 0x80, 0xBF, 0xC2] as [UInt8] {
          for bytes in [[one, two, three, 0x41], [one, two, three, 0x80]] {
            let read = String(decoding: bytes, as: UTF8.self)
            #expect(decode(bytes).whole.utf8.elementsEqual(read.utf8), "\(bytes)")
          }
        }
      }
    }
    #expect(decode([0xFF]).parts == ["\u{FFFD}", ""])
    #expect(decode([0xE2, 0x82]).parts == ["", "", "\u{FFFD}"])
  }

  @Test("a special gives no text")
  func aSpecialGivesNoText() {
    var decoder = TextDecoder(.bytes)
    #expect(decoder.append(Special.endOfTurn.id) == "")
    #expect(decoder.append(0xC3) == "")
    #expect(decoder.append(Special.noThought.id) == "")
    #expect(decoder.append(0xA9) == "é")
    #expect(decoder.finish() == "")
  }
}
