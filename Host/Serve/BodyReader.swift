import Wire

/// Takes one request's body out of the bytes of its connection.
struct BodyReader {
  private enum Framing {
    case length(UInt64)
    case chunked(ChunkedDecoder)
  }

  enum Event {
    case needMore
    case data(Range<Int>)
    case end
  }

  private var framing: Framing
  /// Bytes of body so far.
  private(set) var received: UInt64 = 0
  private let limit: UInt64

  /// - Parameters:
  ///   - framing: As the head declares it; not `.none`.
  ///   - limit: Bytes of body beyond which `next` refuses.
  init(_ framing: RequestHead.BodyFraming, limit: UInt64) {
    switch framing {
    case .none: self.framing = .length(0)
    case .length(let length): self.framing = .length(length)
    case .chunked: self.framing = .chunked(ChunkedDecoder())
    }
    self.limit = limit
  }

  /// Bytes that are still to come; `nil` when only the sender knows.
  var remaining: UInt64? {
    if case .length(let left) = framing { return left }
    return nil
  }

  /// The next part of the body.
  ///
  /// - Parameters:
  ///   - bytes: What has arrived on the connection.
  ///   - offset: Where to go on in `bytes`; moved behind what was used.
  /// - Returns: A range of `bytes`, the end, or that more bytes are needed.
  /// - Throws: `Refusal` for bad framing or a body over the limit.
  mutating func next(_ bytes: Span<UInt8>, from offset: inout Int) throws(Refusal) -> Event {
    switch framing {
    case .length(let left):
      guard left > 0 else { return .end }
      guard offset < bytes.count else { return .needMore }
      let count = Int(min(UInt64(bytes.count - offset), left))
      framing = .length(left - UInt64(count))
      defer { offset += count }
      try admit(count)
      return .data(offset..<(offset + count))
    case .chunked(var decoder):
      defer { framing = .chunked(decoder) }
      do throws(ChunkError) {
        switch try decoder.next(bytes, from: &offset) {
        case .needMore: return .needMore
        case .end: return .end
        case .data(let range):
          received += UInt64(range.count)
          guard received > limit else { return .data(range) }
        }
      } catch {
        throw .body(error)
      }
      throw .bodyTooLarge(limit: limit)
    }
  }

  private mutating func admit(_ count: Int) throws(Refusal) {
    received += UInt64(count)
    guard received <= limit else { throw .bodyTooLarge(limit: limit) }
  }
}
