/// What a mesh has done since it was made.
package struct MeshCounters: Sendable, Equatable {
  /// What datagrams are for.
  package enum Traffic: String, Sendable, CaseIterable {
    case handshake, membership, bitchat, discovery
  }

  /// Datagrams and their bytes, without the headers of UDP and IP (28 or 48 more for each).
  package struct Amount: Sendable, Equatable {
    package internal(set) var packetsIn: UInt64 = 0
    package internal(set) var bytesIn: UInt64 = 0
    package internal(set) var packetsOut: UInt64 = 0
    package internal(set) var bytesOut: UInt64 = 0
  }

  /// Datagrams by what they are for.
  package internal(set) var traffic: [Traffic: Amount] = [:]
  /// Messages that this peer was asked to send.
  package internal(set) var messagesSent: UInt64 = 0
  /// Of these, those that a receipt came for.
  package internal(set) var messagesConfirmed: UInt64 = 0
  /// Of these, those that were given up.
  package internal(set) var messagesUndelivered: UInt64 = 0
  /// Messages that were delivered here.
  package internal(set) var messagesReceived: UInt64 = 0
  /// Packets that had come before.
  package internal(set) var duplicates: UInt64 = 0
  /// Packets of others that were passed on, counted once however many neighbours got them.
  package internal(set) var forwarded: UInt64 = 0
  /// Packets that were kept for peers that are away.
  package internal(set) var stored: UInt64 = 0
  /// Sendings of own messages over a session with the recipient.
  package internal(set) var directRoutes: UInt64 = 0
  /// Sendings of own messages through the mesh.
  package internal(set) var meshRoutes: UInt64 = 0
  /// Sendings beyond the first of each message.
  package internal(set) var retransmissions: UInt64 = 0
  /// What was not taken, by reason.
  package internal(set) var drops: [DropReason: UInt64] = [:]

  package init() {}

  mutating func count(out kind: Traffic, bytes: Int) {
    traffic[kind, default: Amount()].packetsOut += 1
    traffic[kind, default: Amount()].bytesOut += UInt64(bytes)
  }

  mutating func count(in kind: Traffic, bytes: Int) {
    traffic[kind, default: Amount()].packetsIn += 1
    traffic[kind, default: Amount()].bytesIn += UInt64(bytes)
  }

  /// The datagrams of all kinds together.
  package var total: Amount {
    traffic.values.reduce(into: Amount()) { sum, amount in
      sum.packetsIn += amount.packetsIn
      sum.bytesIn += amount.bytesIn
      sum.packetsOut += amount.packetsOut
      sum.bytesOut += amount.bytesOut
    }
  }
}
