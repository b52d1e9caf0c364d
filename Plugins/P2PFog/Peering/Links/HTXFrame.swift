/// One frame on a link: a stream, a type and a payload.
///
/// Three bytes of payload length (big-endian), the stream as LEB128 of at most 28 bits, one byte of type, the payload; as
/// HTX lays it out. Streams multiplex one ordered connection as those of HTTP/2 (RFC 9113, section 5) and yamux do: stream
/// 0 is the link itself, a call has a stream of its own. Of the types of HTX those that have a use here exist; PRIORITY and
/// ACCESS_TICKET are refused: nothing here is ordered by the other's wish, and peers are let in by `Roster` alone.
package struct HTXFrame: Equatable, Sendable {
  /// Bytes of the longest payload on a link; the format would allow 2^24 - 1.
  package static let payloadLimit = 64 << 10
  /// The highest stream.
  package static let streamLimit: UInt32 = (1 << 28) - 1
  /// Bytes of the longest header.
  static let headerLimit = 3 + 4 + 1

  /// What a frame is.
  package enum Kind: UInt8, Sendable, CaseIterable {
    /// On stream 0 a cell of the private overlay; on another one a part of a call's body.
    case data = 0
    /// So many more bytes of DATA may follow on the stream (RFC 9113, section 6.9): 4 bytes, not 0.
    case window = 1
    /// The sender's next Noise message is sealed with the next key: no payload, last in its message.
    case keyUpdate = 2
    /// A question (0) or its answer (1), and 8 bytes that the answer repeats.
    case ping = 3
    /// As long as a cell, and worth nothing.
    case padding = 5
    /// Begin, answer, refusal and end of a call, see `CallControl`.
    case control = 7
  }

  /// 0 for the link itself.
  package let stream: UInt32
  /// What it is.
  package let kind: Kind
  /// At most `payloadLimit` bytes.
  package let payload: [UInt8]

  package init(stream: UInt32, kind: Kind, payload: [UInt8]) {
    precondition(stream <= Self.streamLimit && payload.count <= Self.payloadLimit)
    self.stream = stream
    self.kind = kind
    self.payload = payload
  }

  /// The frame as it travels.
  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.headerLimit + payload.count)
    bytes.append(UInt8(truncatingIfNeeded: payload.count >> 16))
    bytes.append(UInt8(truncatingIfNeeded: payload.count >> 8))
    bytes.append(UInt8(truncatingIfNeeded: payload.count))
    var rest = stream
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
    bytes.append(kind.rawValue)
    bytes += payload
    return bytes
  }
}
