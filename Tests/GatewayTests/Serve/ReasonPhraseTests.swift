import Testing

@testable import Gateway

@Suite("Words of a status, RFC 9110 §15")
struct ReasonPhraseTests {
  @Test func `are the registered ones`() {
    #expect("\(reasonPhrase(of: 200))" == "OK")
    #expect("\(reasonPhrase(of: 413))" == "Content Too Large")
    #expect("\(reasonPhrase(of: 422))" == "Unprocessable Content")
  }

  @Test func `are never empty and can stand in a status line`() {
    for status in 100...599 as ClosedRange<UInt16> {
      let words = "\(reasonPhrase(of: status))"
      #expect(!words.isEmpty && words.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
    }
  }
}
