import Glibc
import Testing
import Wire

@testable import Gateway

@Suite("Signatures of libraries")
struct PluginSignatureTests {
  /// An empty folder that goes with the test.
  private final class Place {
    let path: String

    init() throws {
      var pattern = Array("/tmp/gateway-signature-XXXXXX".utf8CString)
      path = String(cString: try #require(mkdtemp(&pattern)))
    }

    deinit { Directory.removeAll(path) }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) throws -> String {
      let raw = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, mode)
      try #require(raw >= 0)
      defer { close(raw) }
      try Directory.writeAll(raw, bytes[...])
      return "\(path)/\(name)"
    }
  }

  private let statement = SignedStatement(
    digest: String(repeating: "0a", count: 32),
    id: "things",
    version: "1.2.3",
    abiMajor: 1,
    abiMinor: 0
  )

  private func refusal(_ bytes: [UInt8]) -> PluginSignature.Refusal? {
    do throws(PluginSignature.Refusal) {
      _ = try PluginSignature(bytes)
      return nil
    } catch { return error }
  }

  private func replacing(_ old: String, by new: String, in text: String) throws -> [UInt8] {
    let parts = text.split(separator: old, omittingEmptySubsequences: false)
    try #require(parts.count == 2, "\(old) is there once")
    return Array(parts.joined(separator: new).utf8)
  }

  @Test func `what is written is read again, with the same statement and key`() throws {
    let key = try PrivateKey()
    let signature = PluginSignature(statement, with: key)
    let read = try PluginSignature(Array(signature.text.utf8))
    #expect(read == signature)
    #expect(read.statement == statement)
    #expect(read.key == key.publicKey)
    #expect(PublicKey(key.publicKey.text) == key.publicKey)
  }

  @Test func `the signed bytes are these, as other programs must make them`() {
    #expect(
      String(decoding: statement.message, as: UTF8.self) == """
        gateway-plugin-signature/1
        sha256 \(String(repeating: "0a", count: 32))
        id things
        version 1.2.3
        abi_from 1.0
        abi_below 2.0

        """
    )
  }

  /// RFC 8032 §7.1, TEST 2.
  @Test func `a signature of the standard is accepted, and not with any bit changed`() throws {
    func bytes(_ digits: String) -> [UInt8] {
      let digits = Array(digits)
      return stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(digits[$0...($0 + 1)]), radix: 16)
      }
    }
    let key = PublicKey(
      bytes: bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    )
    let signature = bytes(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    #expect(key.accepts(signature, of: [0x72]))
    #expect(!key.accepts(signature, of: [0x73]))
    #expect(!key.accepts(signature, of: []))
    for index in signature.indices {
      var other = signature
      other[index] ^= 1
      #expect(!key.accepts(other, of: [0x72]))
      #expect(!key.accepts(Array(signature[..<index]), of: [0x72]))
    }
  }

  @Test func `no member of the file can be changed without notice`() throws {
    let text = PluginSignature(statement, with: try PrivateKey()).text
    for (old, new) in [
      ("\"things\"", "\"thinks\""), ("\"1.2.3\"", "\"1.2.4\""), ("\"1.0\"", "\"1.1\""),
      ("\"2.0\"", "\"3.0\""), ("0a0a\"", "0a0b\""),
    ] {
      #expect(refusal(try replacing(old, by: new, in: text)) == .forged, "\(old)")
    }
    let other = PluginSignature(statement, with: try PrivateKey())
    let stolen = text.split(separator: "\n").map { line in
      line.contains("public_key") ? "  \"public_key\": \"\(other.key.text)\"," : String(line)
    }
    #expect(refusal(Array(stolen.joined(separator: "\n").utf8)) == .forged)
  }

  @Test func `every cut of the file is refused`() throws {
    let bytes = Array(PluginSignature(statement, with: try PrivateKey()).text.utf8)
    // The last byte is the line end behind the bracket.
    for count in 0..<(bytes.count - 1) {
      guard case .malformed = refusal(Array(bytes[..<count])) else {
        Issue.record("\(count) bytes are taken")
        return
      }
    }
  }

  @Test func `a file has 4096 bytes at most`() throws {
    var bytes = Array(PluginSignature(statement, with: try PrivateKey()).text.utf8)
    bytes += Array(repeating: UInt8(ascii: " "), count: PluginSignature.fileLimit - bytes.count)
    #expect(refusal(bytes) == nil)
    #expect(refusal(bytes + [UInt8(ascii: " ")]) == .tooLong(limit: 4096))
    let place = try Place()
    let path = try place.write("a.sig", bytes + [UInt8(ascii: " ")])
    #expect(throws: PluginSignature.Refusal.tooLong(limit: 4096)) {
      try PluginSignature(path: path)
    }
    #expect(throws: PluginSignature.Refusal.missing) {
      try PluginSignature(path: "\(place.path)/b.sig")
    }
  }

  @Test(arguments: [
    "", "[]", "{}", #"{"format": "gateway-plugin-signature/2"}"#,
    #"{"format": "gateway-plugin-signature/1", "colour": "red"}"#,
  ])
  func `what is no signature is said to be none`(_ text: String) {
    guard case .malformed = refusal(Array(text.utf8)) else {
      Issue.record("it is taken")
      return
    }
  }

  @Test func `a statement differs by the first thing that does`() {
    var found = statement
    #expect(SignatureCheck.difference(signed: statement, found: found) == nil)
    found.version = "1.2.4"
    #expect(
      SignatureCheck.difference(signed: statement, found: found)
        == .otherClaim(what: "version", signed: "1.2.3", found: "1.2.4")
    )
    found.id = "thinks"
    #expect(
      SignatureCheck.difference(signed: statement, found: found)
        == .otherClaim(what: "id", signed: "things", found: "thinks")
    )
    found = statement
    found.from.minor = 1
    #expect(
      SignatureCheck.difference(signed: statement, found: found)
        == .otherClaim(
          what: "for contract",
          signed: "1.0 to below 2.0",
          found: "1.1 to below 2.0"
        )
    )
  }

  @Test func `a library is for the hosts of its major`() {
    func fits(_ major: UInt32) -> Bool {
      SignedStatement(digest: "", id: "", version: "", abiMajor: major, abiMinor: 7).fitsHost
    }
    #expect(fits(1))
    #expect(!fits(0) && !fits(2) && !fits(.max))
  }

  @Test func `a key's file is its owner's alone, and never overwritten`() throws {
    let place = try Place()
    let key = try PrivateKey()
    let path = "\(place.path)/key"
    umask(0)
    try key.write(path)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o600)
    #expect(throws: PrivateKey.Refusal.exists) { try key.write(path) }
    #expect(try PrivateKey(path: path).publicKey == key.publicKey)
    let message: [UInt8] = [1, 2, 3]
    #expect(key.publicKey.accepts(try PrivateKey(path: path).sign(message), of: message))
    #expect(chmod(path, 0o640) == 0)
    #expect(throws: PrivateKey.Refusal.open) { try PrivateKey(path: path) }
  }

  @Test func `what is no key of this kind is refused`() throws {
    let place = try Place()
    #expect(throws: PrivateKey.Refusal.notAKey) {
      try PrivateKey(path: try place.write("text", Array("not a key".utf8)))
    }
    #expect(throws: PrivateKey.Refusal.tooLong(limit: PrivateKey.fileLimit)) {
      try PrivateKey(path: try place.write("long", .init(repeating: 65, count: 16 * 1024 + 1)))
    }
    #expect(throws: PrivateKey.Refusal.unreadable(SystemError(call: "stat", code: ENOENT))) {
      try PrivateKey(path: "\(place.path)/none")
    }
  }

  @Test(arguments: [
    "", "AAAA", String(repeating: "A", count: 44), String(repeating: "=", count: 43),
  ])
  func `a public key has 43 characters of base64url`(_ text: String) {
    #expect(PublicKey(text) == nil)
  }

  @Test func `the arguments of signing are named when they are wrong`() throws {
    func problems(_ arguments: [String]) -> [String] {
      do throws(UsageError) {
        _ = try SigningOrder(arguments[...], option: "--key", isRequired: true)
        return []
      } catch { return error.problems }
    }
    #expect(problems(["a", "--key", "-k"]) == [])
    #expect(problems([]) == ["--key: it is required"])
    #expect(
      problems(["a", "b", "--fast", "--key=", "--key", "c"]) == [
        "\"b\": write one file", "\"--fast\": there is no such option",
        "--key: write a value after it", "--key: write it once",
      ]
    )
  }
}
