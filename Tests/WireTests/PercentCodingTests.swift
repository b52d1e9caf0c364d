import Testing
import Wire

@Suite("Percent-encoding, RFC 3986 §2.1")
struct PercentCodingTests {
  static func decode(_ text: String, plusIsSpace: Bool = false) throws -> [UInt8]? {
    try withGuardedBytes(Array(text.utf8)) {
      PercentCoding.decode($0, 0..<$0.count, plusIsSpace: plusIsSpace)
    }
  }

  @Test func `decodes both cases of digits and any byte`() throws {
    #expect(try Self.decode("a%2f%2F%00%ff+") == Array("a//".utf8) + [0, 0xFF, 0x2B])
    #expect(try Self.decode("a+b", plusIsSpace: true) == Array("a b".utf8))
    #expect(try Self.decode("") == [])
  }

  @Test(arguments: ["%", "%2", "a%2", "%g0", "%0g", "%%20", "% 0", "%-1"])
  func `refuses a percent sign without two digits`(_ text: String) throws {
    #expect(try Self.decode(text) == nil)
  }

  @Test func `what it encodes is read back`() throws {
    let text = String((0..<0x250).compactMap { Unicode.Scalar($0).map(Character.init) })
    var output: [UInt8] = []
    PercentCoding.encode(text, to: &output)
    #expect(try Self.decode(String(decoding: output, as: UTF8.self)) == Array(text.utf8))
    output.removeAll()
    PercentCoding.encode("a b/é~", to: &output)
    #expect(String(decoding: output, as: UTF8.self) == "a%20b%2F%C3%A9~")
  }
}
