import Testing
import Wire

@Suite("Base64url without padding, RFC 7515 §2")
struct Base64URLTests {
  @Test func `uses the alphabet that URLs need no escape for`() {
    #expect(Base64URL.encode([0xFB, 0xFF, 0xFE]) == "-__-")
    #expect(Base64URL.encode([3, 236, 255, 224, 193]) == "A-z_4ME")
    #expect(Base64URL.decode(Array("A-z_4ME".utf8).span) == [3, 236, 255, 224, 193])
  }

  @Test(arguments: ["Z", "Zg=", "Zg==", "Zh", "Zm9w\n", "Zm+/", "Zmé", "Zm9wZ", "Zm8 "])
  func `refuses any other spelling`(_ text: String) throws {
    #expect(try withGuardedBytes(Array(text.utf8)) { Base64URL.decode($0) } == nil)
  }
}
