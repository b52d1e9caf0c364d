import Testing
import Wire

@Suite("ASCII classes")
struct ASCIITests {
  private static func set(_ isIn: (UInt8) -> Bool) -> String {
    String((UInt8.min...UInt8.max).filter(isIn).map { Character(Unicode.Scalar($0)) })
  }

  static let alphanumerics =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

  @Test func `a token is made of the bytes RFC 9110 lists`() {
    #expect(Set(Self.set(ASCII.isToken)) == Set(Self.alphanumerics + "!#$%&'*+-.^_`|~"))
  }

  @Test func `a host name is made of the bytes RFC 3986 lists`() {
    #expect(Set(Self.set(ASCII.isHostName)) == Set(Self.alphanumerics + "-._~!$&'()*+,;=%"))
  }

  @Test func `only unreserved bytes need no escape`() {
    #expect(Set(Self.set(ASCII.isUnreserved)) == Set(Self.alphanumerics + "-._~"))
  }

  @Test func `field content leaves out controls but the tab`() {
    for byte in UInt8.min...UInt8.max {
      #expect(ASCII.isFieldContent(byte) == (byte == 9 || (byte >= 32 && byte != 127)))
      #expect(ASCII.isTarget(byte) == (byte > 32 && byte < 127 && byte != 35))
    }
  }

  @Test func `hexadecimal digits have their value in both cases`() {
    for byte in UInt8.min...UInt8.max {
      let text = String(Unicode.Scalar(byte))
      let expected = text.utf8.count == 1 ? UInt8(text, radix: 16) : nil
      #expect(ASCII.hexValue(byte) == expected)
    }
  }

  @Test(arguments: [0, 9, 10, 99, 100, 12345, UInt64.max])
  func `writes numbers as Swift does`(_ value: UInt64) {
    var output: [UInt8] = []
    ASCII.writeDecimal(value, to: &output)
    #expect(String(decoding: output, as: UTF8.self) == String(value))
  }
}
