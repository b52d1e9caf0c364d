import Testing
import Wire

@Suite("Base64, RFC 4648")
struct Base64Tests {
  static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  // RFC 4648 §10
  static let vectors = [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
    ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
  ]

  @Test(arguments: vectors)
  func `writes and reads the vectors of the RFC`(_ plain: String, _ text: String) throws {
    #expect(Base64.encode(Self.bytes(plain)) == text)
    #expect(try withGuardedBytes(Self.bytes(text)) { Base64.decode($0) } == Self.bytes(plain))
  }

  @Test func `every byte goes there and back`() {
    let all = Array(UInt8.min...UInt8.max)
    for count in 0...all.count {
      let part = Array(all.suffix(count))
      #expect(Base64.decode(Self.bytes(Base64.encode(part)).span) == part)
      #expect(Base64URL.decode(Self.bytes(Base64URL.encode(part)).span) == part)
    }
  }

  @Test(arguments: [
    "Zg", "Zg=", "Zg===", "Z===", "=", "====", "Zh==", "Zm9=", "Zm 9", "Zm-_", "Zg==Zg==",
  ])
  func `refuses any other spelling`(_ text: String) {
    #expect(Base64.decode(Self.bytes(text).span) == nil)
  }
}
