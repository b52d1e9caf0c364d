import Testing

@testable import AgentForge

@Suite("Files read as documents")
struct DocumentReaderTests {
  private func read(_ text: String) throws -> [Document] {
    try DocumentReader.documents(in: Array(text.utf8))
  }

  private func refusal(_ text: String) -> String {
    do {
      _ = try read(text)
      return ""
    } catch { return "\(error)" }
  }

  private static let dialogue = """
    {"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yo"}]}
    """
  private static let turns = Document.dialogue([Turn(.user, "hi"), Turn(.assistant, "yo")])

  @Test("plain text is one document, byte for byte")
  func plainTextIsOneDocument() throws {
    for text in [
      "once", " [not json", "{ x }\n{ y }", "{\"a\":1}", "[1,2]", "[]", "a\n{\"text\":\"b\"}",
    ] {
      #expect(try read(text) == [.plain(Array(text.utf8))])
    }
    let notUTF8: [UInt8] = [0xFF, 0x00, 0x80]
    #expect(try DocumentReader.documents(in: notUTF8) == [.plain(notUTF8)])
    #expect(try read("") == [])
    #expect(try read(" \n") == [])
  }

  @Test("JSON Lines and a JSON array hold a document a record")
  func recordsAreDocuments() throws {
    let text = Document.plain(Array("tea".utf8))
    #expect(try read("\(Self.dialogue)\n{\"text\":\"tea\"}\r\n\n") == [Self.turns, text])
    #expect(try read("[\(Self.dialogue),\n {\"text\":\"tea\", \"id\":7}]") == [Self.turns, text])
    #expect(try read("{\n \"text\" : \"tea\"\n}") == [text])
    #expect(try read("{\"text\":\"\"}\n{\"messages\":[]}\n{\"text\":\"tea\"}") == [text])
  }

  @Test("a malformed record is named with what it must be")
  func aMalformedRecordIsNamed() {
    let first = Self.dialogue
    #expect(refusal("\(first)\n\n{\"text\":1}").hasPrefix("line 3: must be an object with"))
    #expect(refusal("\(first)\n[1]").hasPrefix("line 2: must be an object with"))
    #expect(refusal("\(first)\n{\"text\":").hasPrefix("line 2: column "))
    #expect(refusal("[\(first),5]").hasPrefix("record 2: must be an object with"))
    #expect(refusal("[\(first),").hasPrefix("the JSON array: line 1, column "))
    #expect(
      refusal("{\"messages\":[{\"role\":\"king\",\"content\":\"a\"}]}")
        == "record 1, messages[0].role: must be one of system, user, assistant, tool"
    )
    #expect(
      refusal("{\"messages\":[{\"role\":\"user\"}]}")
        == "record 1, messages[0].content: must be a string"
    )
    #expect(
      refusal("{\"messages\":7}")
        == "record 1, messages: must be an array of at most 1000 messages"
    )
  }

  @Test("a dialogue may have 1000 turns and no more")
  func aDialogueMayHaveAThousandTurns() throws {
    let turn = "{\"role\":\"user\",\"content\":\"a\"}"
    func messages(_ count: Int) -> String {
      "{\"messages\":[\(Array(repeating: turn, count: count).joined(separator: ","))]}"
    }
    #expect(try read(messages(1000)).count == 1)
    #expect(refusal(messages(1001)).hasSuffix("at most 1000 messages"))
  }

  @Test("a file cut at any byte is read as text or refused, never half read")
  func aCutFileIsNeverHalfRead() throws {
    let line = Self.dialogue
    let bytes = Array("\(line)\n\(line)".utf8)
    for end in 1..<bytes.count {
      let cut = Array(bytes[..<end])
      let documents = try? DocumentReader.documents(in: cut)
      if end < line.utf8.count {
        #expect(documents == [.plain(cut)])
      } else {
        #expect(documents == (end <= line.utf8.count + 1 ? [Self.turns] : nil))
      }
    }
  }
}
