import Foundation
import Peering
import PluginStorage
import Testing

@testable import P2PFog

@Suite("What is kept of peers")
struct PeerStoreTests {
  static var endpoint: Endpoint {
    guard let endpoint = Endpoint(text: "127.0.0.1:7946") else { preconditionFailure("an address") }
    return endpoint
  }
  static let identity = Identity(seed: [UInt8](repeating: 7, count: 32))

  static func record(_ sequence: UInt64) -> PeerRecord {
    PeerRecord(identity, sequence: sequence, endpoint: endpoint, name: "ada")
  }

  @Test("a configured peer comes back without a record until it was met, then with the newest")
  func recordsComeBack() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    try store.add(Self.identity.id, endpoint: Self.endpoint, mayBeNode: false, now: 5)
    var found = try #require(try store.all().first)
    #expect(found.record == nil && found.endpoint == Self.endpoint && found.how == .configured)
    #expect(found.addedAt == 5 && !found.isBanned && !found.mayBeNode && !found.isCoordinator)
    try store.apply([.known(Self.record(1), .configured)], now: 6)
    try store.apply([.known(Self.record(2), .introduced)], now: 7)
    found = try #require(try store.all().first)
    #expect(found.record == Self.record(2) && found.how == .configured && found.addedAt == 5)
    #expect(try store.all().count == 1)
  }

  @Test("an invitation is redeemed once, and makes a node of who was invited as one")
  func invitationsMakeNodes() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    let digest = KeyDerivation.sha256([1, 2, 3])
    let invitation = PeerStore.Invitation(
      digest: Hexadecimal.text(digest),
      createdAt: 10,
      expiresAt: 1000,
      mayBeNode: true,
      note: "for Ada",
      redeemedBy: nil
    )
    try store.invite(invitation)
    #expect(try !store.mayBeNode(Self.identity.id))
    try store.apply(
      [.redeemed(digest, by: Self.identity.id), .known(Self.record(1), .invited)],
      now: 20
    )
    #expect(try store.mayBeNode(Self.identity.id))
    let found = try #require(try store.invitations().first)
    #expect(found.redeemedBy == Self.identity.id.description && found.note == "for Ada")
    #expect(try !store.withdraw(found.digest), "a redeemed one cannot be taken back")
    try store.forbidNode(Self.identity.id)
    #expect(try !store.mayBeNode(Self.identity.id))
  }

  @Test("an invitation for messages alone makes no node")
  func plainInvitations() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    let digest = KeyDerivation.sha256([9])
    try store.invite(
      PeerStore.Invitation(
        digest: Hexadecimal.text(digest),
        createdAt: 1,
        expiresAt: 2,
        mayBeNode: false,
        note: "",
        redeemedBy: nil
      )
    )
    try store.apply([.redeemed(digest, by: Self.identity.id)], now: 1)
    #expect(try store.all().map(\.mayBeNode) == [false])
  }

  @Test("an expired invitation goes when the next one is made, at its edge")
  func expiry() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    func invite(_ name: String, _ created: UInt64, _ expires: UInt64) throws {
      try store.invite(
        PeerStore.Invitation(
          digest: name,
          createdAt: created,
          expiresAt: expires,
          mayBeNode: false,
          note: "",
          redeemedBy: nil
        )
      )
    }
    try invite("a", 0, 100)
    try invite("b", 99, 200)
    #expect(try store.invitations().map(\.digest) == ["b", "a"])
    try invite("c", 100, 300)
    #expect(try store.invitations().map(\.digest) == ["c", "b"])
    #expect(try store.withdraw("b"))
    #expect(try !store.withdraw("b"))
  }

  @Test("a banned peer loses its record and its rights, and adding it again pardons it")
  func bans() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    #expect(try !store.ban(Self.identity.id, now: 1), "nobody was there")
    try store.add(Self.identity.id, endpoint: Self.endpoint, mayBeNode: true, now: 1)
    try store.setCoordinator(Self.identity.id, true)
    #expect(try store.all().map(\.isCoordinator) == [true])
    #expect(try store.ban(Self.identity.id, now: 2))
    let found = try #require(try store.all().first)
    #expect(found.isBanned && !found.mayBeNode && !found.isCoordinator && found.endpoint == nil)
    #expect(try !store.mayBeNode(Self.identity.id))
    #expect(try !store.ban(Self.identity.id, now: 3), "it is banned already")
    try store.add(Self.identity.id, endpoint: nil, mayBeNode: false, now: 4)
    #expect(try store.all().map(\.isBanned) == [false])
  }

  @Test(
    "a peer is met once its record is there, not while it is banned, and a pardon lifts the ban alone"
  )
  func metAndPardoned() throws {
    let kept = try PeerDatabase()
    let store = PeerStore(kept.database)
    let id = Self.identity.id
    try store.pardon(id)
    #expect(try store.all().isEmpty, "who is not known does not become so")
    try store.add(id, endpoint: Self.endpoint, mayBeNode: false, now: 1)
    #expect(try !store.isMet(id))
    try store.apply([.known(Self.record(1), .configured)], now: 2)
    #expect(try store.isMet(id))
    #expect(try store.ban(id, now: 3) && !store.isMet(id))
    try store.apply([.known(Self.record(2), .configured)], now: 4)
    #expect(try !store.isMet(id))
    try store.pardon(id)
    #expect(try store.isMet(id) && store.all().map(\.isBanned) == [false])
  }

  @Test("the identity's file is made once, private, and never replaced")
  func identityFile() throws {
    let kept = try PeerDatabase()
    let path = kept.folder + "/identity"
    let made = try IdentityFile.load(path)
    #expect(try IdentityFile.load(path).id == made.id)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600 && status.st_size == 32)
    truncate(path, 31)
    #expect(throws: StorageError.self) { try IdentityFile.load(path) }
    #expect(stat(path, &status) == 0 && status.st_size == 31, "the broken file is not touched")
  }

  @Test("a kept value is the last that was set")
  func keptValues() throws {
    let kept = try PeerDatabase()
    let values = KeptValues(kept.database)
    #expect(try values.value("port") == nil)
    try values.set("port", to: "1")
    try values.set("port", to: "2")
    #expect(try values.value("port") == "2")
  }
}
