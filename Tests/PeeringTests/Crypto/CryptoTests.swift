import Testing

@testable import Peering

@Suite struct CryptoTests {
  private static let sunscreen = Array(
    ("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future,"
      + " sunscreen would be it.").utf8
  )

  @Test("X25519 agrees as RFC 7748, section 6.1")
  func agreement() {
    let alice = X25519.KeyPair(
      privateKey: hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    )
    let bob = X25519.KeyPair(
      privateKey: hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    )
    #expect(
      alice.publicKey == hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    )
    #expect(
      bob.publicKey == hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
    )
    let secret = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
    #expect(alice.sharedSecret(with: bob.publicKey) == secret)
    #expect(bob.sharedSecret(with: alice.publicKey) == secret)
  }

  @Test(
    "Keys of small order and of a wrong length agree on nothing",
    arguments: [
      String(repeating: "00", count: 32),
      "01" + String(repeating: "00", count: 31),
      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      String(repeating: "09", count: 31),
      String(repeating: "09", count: 33),
      "",
    ]
  )
  func smallOrder(key: String) {
    #expect(X25519.KeyPair.random().sharedSecret(with: hex(key)) == nil)
  }

  @Test("Ed25519 signs as RFC 8032, section 7.1")
  func signatures() {
    let cases = [
      (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
          + "d25bf5f0595bbe24655141438e7a100b"
      ),
      (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
          + "387b2eaeb4302aeeb00d291612bb0c00"
      ),
    ]
    for (seed, key, message, signature) in cases {
      let id = Ed25519.publicKey(ofSeed: hex(seed))
      #expect(id.description == key)
      #expect(Ed25519.sign(hex(message), seed: hex(seed)) == hex(signature))
      #expect(Ed25519.isValid(hex(signature), of: hex(message), by: id))
      for index in 0..<64 {
        var changed = hex(signature)
        changed[index] ^= 1
        #expect(!Ed25519.isValid(changed, of: hex(message), by: id))
      }
      #expect(!Ed25519.isValid(hex(signature), of: hex(message) + [0], by: id))
      #expect(!Ed25519.isValid(Array(hex(signature).dropLast()), of: hex(message), by: id))
      #expect(!Ed25519.isValid([], of: hex(message), by: id))
    }
  }

  @Test("ChaCha20-Poly1305 seals as RFC 8439, section 2.8.2, and opens nothing that was changed")
  func sealing() {
    let key = (0x80...0x9F).map { UInt8($0) }
    let nonce = hex("070000004041424344454647")
    let associated = hex("50515253c0c1c2c3c4c5c6c7")
    let sealed = ChaChaPoly.seal(Self.sunscreen, key: key, nonce: nonce, associated: associated)
    #expect(Array(sealed.prefix(16)) == hex("d31a8d34648e60db7b86afbc53ef7ec2"))
    #expect(Array(sealed.suffix(16)) == hex("1ae10b594f09e26a7e902ecbd0600691"))
    #expect(
      ChaChaPoly.open(sealed, key: key, nonce: nonce, associated: associated) == Self.sunscreen
    )
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 0x80
      #expect(ChaChaPoly.open(changed, key: key, nonce: nonce, associated: associated) == nil)
      let cut = Array(sealed[..<index])
      #expect(ChaChaPoly.open(cut, key: key, nonce: nonce, associated: associated) == nil)
    }
    #expect(ChaChaPoly.open(sealed, key: key, nonce: nonce) == nil)
    let empty = ChaChaPoly.seal([], key: key, nonce: nonce)
    #expect(empty.count == 16 && ChaChaPoly.open(empty, key: key, nonce: nonce) == [])
  }

  @Test("ChaCha20 is the stream of RFC 8439, section 2.4.2")
  func stream() {
    // The example begins at block 1, so a block of zeros goes before it.
    let hidden = ChaCha20.apply(
      [UInt8](repeating: 0, count: 64) + Self.sunscreen,
      key: (0..<32).map { UInt8($0) },
      number: 0x4A00_0000
    )
    let expected = hex(
      """
      6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b357
      1639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736
      5af90bbf74a35be6b40b8eedf2785e42874d
      """
    )
    #expect(Array(hidden[64...]) == expected)
  }

  @Test("HKDF derives as RFC 5869, appendix A")
  func derivation() {
    let secret = [UInt8](repeating: 0x0B, count: 22)
    let first = KeyDerivation.hkdf(
      secret: secret,
      salt: (0...12).map { UInt8($0) },
      info: (0xF0...0xF9).map { UInt8($0) },
      count: 42
    )
    #expect(
      first
        == hex(
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        )
    )
    let third = KeyDerivation.hkdf(secret: secret, salt: [], info: [], count: 42)
    #expect(
      third
        == hex(
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        )
    )
    #expect(KeyDerivation.hkdf(secret: secret, salt: [], info: [], count: 8160).count == 8160)
    #expect(KeyDerivation.hkdf(secret: secret, salt: [], info: [], count: 0) == [])
  }

  @Test("SHA-256 and HMAC are those of FIPS 180-4 and RFC 4231")
  func digests() {
    #expect(
      KeyDerivation.sha256(Array("abc".utf8))
        == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    )
    #expect(
      KeyDerivation.hmac(Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        == hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    )
  }

  @Test("Secrets are equal only when every byte is")
  func equality() {
    #expect(KeyDerivation.areEqual([], []))
    #expect(KeyDerivation.areEqual([1, 2], [1, 2]))
    #expect(!KeyDerivation.areEqual([1, 2], [1, 3]))
    #expect(!KeyDerivation.areEqual([1, 2], [1, 2, 3]))
  }

  @Test("An identity is its seed's, and no two random ones are the same")
  func identities() {
    let seed = [UInt8](repeating: 7, count: 32)
    #expect(Identity(seed: seed).id == Identity(seed: seed).id)
    #expect(
      Identity(seed: seed).agreement.publicKey == Identity(seed: seed).agreement.publicKey
    )
    #expect(Identity.random().id != Identity.random().id)
    #expect(RandomBytes.make(0) == [] && RandomBytes.make(33).count == 33)
  }
}
