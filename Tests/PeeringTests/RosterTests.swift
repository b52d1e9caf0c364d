import Testing

@testable import Peering

@Suite struct RosterTests {
  private static let own = Identity(seed: [UInt8](repeating: 1, count: 32))
  private static let now = Moment(monotonic: 5, wall: 1000)

  private static func record(
    _ identity: Identity = .random(),
    sequence: UInt64 = 1
  ) -> PeerRecord {
    guard let endpoint = Endpoint(text: "10.0.0.1:7946") else { preconditionFailure() }
    return PeerRecord(identity, sequence: sequence, endpoint: endpoint, name: "n")
  }

  private static func roster(admitsIntroduced: Bool = false) -> Roster {
    Roster(own: own.id, admitsIntroduced: admitsIntroduced)
  }

  private static func invitation(_ secret: [UInt8], expiresAt: UInt64) -> Roster.Invitation {
    Roster.Invitation(digest: KeyDerivation.sha256(secret), expiresAt: expiresAt)
  }

  @Test("An unknown peer without proof stays unknown")
  func unknown() {
    var roster = Self.roster()
    let record = Self.record()
    #expect(roster.admit(record, .none, now: Self.now) == false)
    #expect(!roster.isKnown(record.id) && roster.changes.isEmpty && roster.all.isEmpty)
  }

  @Test("The network's secret makes a peer known")
  func network() {
    var roster = Self.roster()
    let record = Self.record()
    #expect(roster.admit(record, .network, now: Self.now) == true)
    #expect(roster.changes == [.known(record, .network)])
    #expect(roster.record(of: record.id) == record && roster.count == 1)
  }

  @Test("An expected peer needs no proof")
  func expected() {
    var roster = Self.roster()
    let record = Self.record()
    roster.expect(record.id)
    #expect(roster.isKnown(record.id) && roster.count == 0)
    #expect(roster.admit(record, .none, now: Self.now) == true)
    #expect(roster.changes == [.known(record, .configured)])
  }

  @Test("This peer is nobody's other, whatever it proves")
  func itself() {
    var roster = Self.roster(admitsIntroduced: true)
    let record = Self.record(Self.own)
    roster.expect(Self.own.id)
    roster.restore(record)
    #expect(!roster.isKnown(Self.own.id))
    #expect(roster.admit(record, .network, now: Self.now) == false)
    #expect(roster.introduce(record) == false)
    #expect(roster.changes.isEmpty)
  }

  @Test("An invitation lets one peer in, once")
  func invitation() {
    var roster = Self.roster()
    let secret = [UInt8](repeating: 3, count: 16)
    roster.invite(Self.invitation(secret, expiresAt: 2000))
    let first = Self.record()
    #expect(
      roster.admit(Self.record(), .invitation([UInt8](repeating: 4, count: 16)), now: Self.now)
        == false
    )
    #expect(roster.admit(first, .invitation(secret), now: Self.now) == true)
    #expect(
      roster.changes
        == [.redeemed(KeyDerivation.sha256(secret), by: first.id), .known(first, .invited)]
    )
    #expect(roster.admit(Self.record(), .invitation(secret), now: Self.now) == false)
    #expect(roster.admit(first, .none, now: Self.now) == true)
  }

  @Test("A known peer does not use up an invitation")
  func knownWithInvitation() {
    var roster = Self.roster()
    let secret = [UInt8](repeating: 3, count: 16)
    roster.invite(Self.invitation(secret, expiresAt: 2000))
    let known = Self.record()
    roster.restore(known)
    #expect(roster.admit(known, .invitation(secret), now: Self.now) == true)
    #expect(roster.admit(Self.record(), .invitation(secret), now: Self.now) == true)
  }

  @Test("An invitation ends at its time, not before")
  func expiry() {
    for (wall, isGood) in [(1999, true), (2000, false)] as [(UInt64, Bool)] {
      var roster = Self.roster()
      let secret = [UInt8](repeating: 3, count: 16)
      roster.invite(Self.invitation(secret, expiresAt: 2000))
      let now = Moment(monotonic: 0, wall: wall)
      #expect(roster.admit(Self.record(), .invitation(secret), now: now) == isGood)
    }
  }

  @Test("A banned peer is refused by every way, until it is pardoned and expected")
  func banned() {
    var roster = Self.roster(admitsIntroduced: true)
    let record = Self.record()
    roster.restore(record)
    roster.ban(record.id)
    #expect(!roster.isKnown(record.id) && roster.record(of: record.id) == nil)
    roster.expect(record.id)
    roster.restore(record)
    #expect(!roster.isKnown(record.id))
    #expect(roster.admit(record, .network, now: Self.now) == false)
    #expect(roster.introduce(record) == false)
    roster.pardon(record.id)
    #expect(!roster.isKnown(record.id))
    roster.expect(record.id)
    #expect(roster.admit(record, .none, now: Self.now) == true)
  }

  @Test("The higher sequence counts, by handshake and by introduction")
  func sequences() {
    let identity = Identity.random()
    var roster = Self.roster()
    roster.restore(Self.record(identity, sequence: 5))
    #expect(roster.introduce(Self.record(identity, sequence: 5)) == false)
    #expect(roster.introduce(Self.record(identity, sequence: 4)) == false)
    #expect(roster.introduce(Self.record(identity, sequence: 6)) == true)
    #expect(roster.admit(Self.record(identity, sequence: 3), .none, now: Self.now) == true)
    #expect(roster.record(of: identity.id)?.sequence == 6)
    #expect(roster.admit(Self.record(identity, sequence: 7), .none, now: Self.now) == true)
    #expect(roster.record(of: identity.id)?.sequence == 7)
    #expect(roster.changes.count == 2)
  }

  @Test("An introduction makes a peer known only where that is allowed")
  func introductions() {
    let record = Self.record()
    var closed = Self.roster()
    #expect(closed.introduce(record) == false)
    #expect(!closed.isKnown(record.id))
    var open = Self.roster(admitsIntroduced: true)
    #expect(open.introduce(record) == true)
    #expect(open.isKnown(record.id))
    #expect(open.changes == [.known(record, .introduced)])
    closed.expect(record.id)
    #expect(closed.introduce(record) == true)
  }

  @Test(
    "A full roster takes no further peer, spends no invitation on one, and still takes configured ones"
  )
  func full() {
    var roster = Self.roster(admitsIntroduced: true)
    for number in 0..<Roster.limit { roster.restore(Self.numbered(number)) }
    #expect(roster.count == Roster.limit)
    let secret = [UInt8](repeating: 3, count: 16)
    roster.invite(Self.invitation(secret, expiresAt: 2000))
    let late = Self.record()
    #expect(roster.introduce(late) == false)
    #expect(roster.admit(late, .network, now: Self.now) == false)
    #expect(roster.admit(late, .invitation(secret), now: Self.now) == false)
    #expect(roster.changes.isEmpty && roster.count == Roster.limit)
    let configured = Self.record()
    roster.expect(configured.id)
    #expect(roster.admit(configured, .none, now: Self.now) == true)
    #expect(roster.record(of: configured.id) == configured)
    roster.ban(configured.id)
    roster.ban(roster.all[0].id)
    #expect(roster.admit(late, .invitation(secret), now: Self.now) == true)
  }

  private static func numbered(_ number: Int) -> PeerRecord {
    var seed = [UInt8](repeating: 9, count: 32)
    seed[0] = UInt8(number & 0xFF)
    seed[1] = UInt8(number >> 8)
    return record(Identity(seed: seed))
  }

  @Test("All records come in order of their identities")
  func order() {
    var roster = Self.roster()
    for _ in 0..<20 { roster.restore(Self.record()) }
    #expect(roster.all.map(\.id) == roster.all.map(\.id).sorted())
  }
}

/// What a roster does when it is told the same again.
extension RosterTests {
  @Test("An invitation that is put in twice is redeemed once")
  func invitedTwice() {
    var roster = Roster(own: Identity.random().id, admitsIntroduced: false)
    let secret = [UInt8](repeating: 5, count: 16)
    let invitation = Roster.Invitation(digest: KeyDerivation.sha256(secret), expiresAt: 2000)
    roster.invite(invitation)
    roster.invite(invitation)
    let now = Moment(monotonic: 5, wall: 1000)
    func record() -> PeerRecord? {
      Endpoint(text: "10.0.0.1:1").map {
        PeerRecord(.random(), sequence: 1, endpoint: $0, name: "")
      }
    }
    #expect(record().map { roster.admit($0, .invitation(secret), now: now) } == true)
    #expect(record().map { roster.admit($0, .invitation(secret), now: now) } == false)
  }

  @Test("Changes that could not be stored wait as the newest record of each peer")
  func putBack() throws {
    var roster = Roster(own: Identity.random().id, admitsIntroduced: false)
    let identity = Identity.random()
    let endpoint = try #require(Endpoint(text: "10.0.0.1:1"))
    func record(_ sequence: UInt64) -> PeerRecord {
      PeerRecord(identity, sequence: sequence, endpoint: endpoint, name: "")
    }
    roster.changes = [.known(record(3), .introduced)]
    roster.putBack([
      .redeemed([1], by: identity.id), .known(record(1), .invited), .known(record(2), .configured),
    ])
    #expect(roster.changes == [.redeemed([1], by: identity.id), .known(record(3), .invited)])
  }

  @Test("The peers stand in order of their identities, each once, however they come and go")
  func comingAndGoing() throws {
    var roster = Roster(own: Identity.random().id, admitsIntroduced: true)
    let endpoint = try #require(Endpoint(text: "10.0.0.1:1"))
    let identities = (0..<50).map { _ in Identity.random() }
    for sequence in 1...2 {
      for (index, identity) in identities.enumerated() {
        let record = PeerRecord(identity, sequence: UInt64(sequence), endpoint: endpoint, name: "")
        if index % 2 == 0 { roster.restore(record) } else { roster.introduce(record) }
      }
    }
    for identity in identities.prefix(10) { roster.ban(identity.id) }
    roster.ban(identities[0].id)
    #expect(roster.all.map(\.id) == identities.dropFirst(10).map(\.id).sorted())
    #expect(roster.all.allSatisfy { $0.sequence == 2 } && roster.count == 40)
  }
}
