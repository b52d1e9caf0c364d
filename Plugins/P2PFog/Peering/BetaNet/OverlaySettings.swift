/// The limits and wishes of the overlay; times in nanoseconds.
package struct OverlaySettings: Sendable {
  /// Of each link.
  package var link = LinkSettings()
  /// The secret of this peer's network, where the operator has set one.
  package var networkSecret: [UInt8]?
  /// Connections that are not through their handshake at once.
  package var handshakeLimit = 64
  /// Connections at once.
  package var linkLimit = 1024
  /// For a connection that the loop was asked for to be established.
  package var dialLimit: UInt64 = 10_000_000_000
  /// How old a link may be to lose against a new one of the same two peers by the order of their identities.
  ///
  /// Above that the new one wins: whoever dials again has lost the old one.
  package var crossingLimit: UInt64 = 10_000_000_000
  /// Calls that wait for a link, and bytes of their bodies.
  package var waitingCallLimit = 256, waitingCallBytes = 16 << 20
  /// Cells per second and link at least, by cover where nothing else goes; 0 for none, 1000 at most.
  ///
  /// Each costs 540 bytes on the wire of every link, in each direction that wants it.
  package var cover = 0

  // MARK: Circuits

  /// The numbers of links that a circuit may have.
  package static let hopRange = 2...6
  /// Links from sender to recipient, unless a message says otherwise.
  package var hops = 3
  /// Fewer, where there are not enough peers; `nil` for none fewer than wanted.
  package var minimumHops: Int?
  /// Circuits of others over one link, and over all.
  package var transitsPerLink = 256, transitLimit = 4096
  /// Of these, circuits over one link that wait for their next hop.
  package var extendingPerLink = 32
  /// Openings that a link may ask for at once, and per second after that; each costs this peer three key agreements.
  package var openingBurst = 100, openingsPerSecond = 20
  /// Openings refused one after the other that end the link.
  package var refusedOpenings = 1000
  /// For the next hop to answer; and for it and the way there and back, as the sender waits.
  package var extendLimit: UInt64 = 10_000_000_000, stepLimit: UInt64 = 12_000_000_000
  /// After which another's circuit without cells is over; and an own one.
  package var transitIdle: UInt64 = 600_000_000_000, originIdle: UInt64 = 300_000_000_000
  /// When a circuit is used no more for new messages: by its age, and by their number.
  package var rotateAfter: UInt64 = 600_000_000_000, rotateMessages = 1000
  /// Own circuits in the making at once.
  package var buildingLimit = 64
  /// How long a hop that has failed is passed over.
  package var failedFor: UInt64 = 60_000_000_000

  // MARK: Messages

  /// Messages that are not confirmed yet, and their bytes.
  package var outboxMessages = 1024, outboxBytes = 32 << 20
  /// Circuits that are tried for one message.
  package var tries = 5
  /// Before the second try; twice as long before each later one.
  package var retryAfter: UInt64 = 250_000_000
  /// For the receipt to come.
  package var receiptLimit: UInt64 = 15_000_000_000
  /// For a message to arrive whole.
  package var arrivalLimit: UInt64 = 60_000_000_000
  /// Bytes of messages that are arriving at once.
  package var arrivingBytes = 16 << 20
  /// Messages that one sender may send at once, and per second after that.
  package var senderBurst = 200, senderPerSecond = 50
  /// Milliseconds that a message's time may differ from this peer's; half as long as identifiers are remembered, or less.
  package var skewLimit: UInt64 = 900_000
  /// Messages whose identifiers are remembered, and for how long.
  package var seenLimit = 65_536, seenWindow: UInt64 = 2_400_000_000_000

  package init() {}
}
