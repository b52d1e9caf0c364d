/// One direction of a link's transport: a Noise cipher that counts what its key has sealed.
///
/// Keys change in band, as TLS does it (RFC 8446, section 4.6.3), after so many messages or bytes: a KEY_UPDATE frame ends
/// the last message of the old key.
struct LinkCipher: Sendable {
  private var noise: NoiseCipher
  private var messages = 0
  private var bytes = 0
  private let messageLimit: Int
  private let byteLimit: Int

  init(key: [UInt8], settings: LinkSettings) {
    noise = NoiseCipher(key: key)
    messageLimit = settings.keyMessages
    byteLimit = settings.keyBytes
  }

  /// Whether the next message has to be the key's last: one more, as long as may be, and the limit is passed.
  var isDue: Bool { messages >= messageLimit - 1 || bytes >= byteLimit - 2 * NoiseXX.messageLimit }

  mutating func seal(_ plain: [UInt8]) -> [UInt8] {
    let sealed = noise.seal(plain)
    count(sealed.count)
    return sealed
  }

  mutating func open(_ sealed: [UInt8]) throws(LinkClosure) -> [UInt8] {
    guard messages < messageLimit, bytes + sealed.count <= byteLimit else {
      throw .malformed("is one too many for its key")
    }
    guard let plain = noise.open(sealed) else { throw .malformed("is not authentic") }
    count(sealed.count)
    return plain
  }

  mutating func rekey() {
    noise.rekey()
    messages = 0
    bytes = 0
  }

  private mutating func count(_ size: Int) {
    messages += 1
    bytes += size
  }
}
