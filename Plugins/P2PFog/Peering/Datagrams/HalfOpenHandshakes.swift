/// Handshakes that others have begun and not finished, bounded over all and for each address.
///
/// Nothing here is known of the other but an address that may be a lie; so entries are few, short-lived, and from a
/// certain number on only made for who has echoed a cookie (RFC 9000 section 8.1.2, WireGuard section 5.3).
struct HalfOpenHandshakes: Sendable {
  /// One handshake after its second message.
  struct Entry: Sendable {
    var handshake: PeerHandshake
    let endpoint: Endpoint
    let otherName: UInt32
    let firstMessage: [UInt8]
    let reply: [UInt8]
    let expiresAt: UInt64
  }

  /// Whether another one may begin.
  enum Verdict: Equatable {
    case yes, no
    /// After it has shown that it is where it says.
    case withCookie
  }

  private struct Asker: Hashable {
    let endpoint: Endpoint
    let name: UInt32
  }

  private let limit: Int
  private let limitPerAddress: Int
  private let cookieFrom: Int
  private var entries: [UInt32: Entry] = [:]
  private var names: [Asker: UInt32] = [:]
  private var addresses: [[UInt8]: Int] = [:]
  private let cookieSecret = RandomBytes.make(32)

  init(_ settings: SessionSettings) {
    limit = settings.halfOpenLimit
    limitPerAddress = settings.halfOpenPerAddress
    cookieFrom = settings.cookieFrom
  }

  var count: Int { entries.count }

  subscript(name: UInt32) -> Entry? { entries[name] }

  /// The entry that the same first message has made before.
  func entry(from endpoint: Endpoint, otherName: UInt32) -> Entry? {
    names[Asker(endpoint: endpoint, name: otherName)].flatMap { entries[$0] }
  }

  /// Whether `endpoint` may begin another handshake.
  func allows(_ endpoint: Endpoint) -> Verdict {
    guard entries.count < limit, addresses[Self.network(endpoint), default: 0] < limitPerAddress
    else { return .no }
    return entries.count < cookieFrom ? .yes : .withCookie
  }

  mutating func insert(_ entry: Entry, ownName: UInt32) {
    entries[ownName] = entry
    names[Asker(endpoint: entry.endpoint, name: entry.otherName)] = ownName
    addresses[Self.network(entry.endpoint), default: 0] += 1
  }

  mutating func remove(_ ownName: UInt32) {
    guard let entry = entries.removeValue(forKey: ownName) else { return }
    names[Asker(endpoint: entry.endpoint, name: entry.otherName)] = nil
    let network = Self.network(entry.endpoint)
    let left = addresses[network, default: 1] - 1
    addresses[network] = left > 0 ? left : nil
  }

  mutating func expire(now: UInt64) {
    for (name, entry) in entries where entry.expiresAt <= now { remove(name) }
  }

  /// What shows that somebody receives at `endpoint`; a new one every two minutes.
  func cookie(for endpoint: Endpoint, _ name: UInt32, now: UInt64) -> [UInt8] {
    cookie(endpoint, name, epoch: now / Self.epoch)
  }

  func isValid(_ cookie: [UInt8], for endpoint: Endpoint, _ name: UInt32, now: UInt64) -> Bool {
    let epoch = now / Self.epoch
    let current = self.cookie(endpoint, name, epoch: epoch)
    let last = self.cookie(endpoint, name, epoch: epoch &- 1)
    return KeyDerivation.areEqual(cookie, current) || KeyDerivation.areEqual(cookie, last)
  }

  private static let epoch: UInt64 = 120_000_000_000

  private func cookie(_ endpoint: Endpoint, _ name: UInt32, epoch: UInt64) -> [UInt8] {
    var writer = ByteWriter()
    writer.number(epoch)
    writer.number(name)
    endpoint.write(to: &writer)
    let code = KeyDerivation.hmac(writer.bytes, key: cookieSecret)
    return Array(code.prefix(Datagram.cookieSize))
  }

  /// What one sender can have many addresses of: 64 bits of IP version 6, one address of version 4.
  private static func network(_ endpoint: Endpoint) -> [UInt8] { Array(endpoint.address.prefix(8)) }
}
