/// The request line and header fields of one HTTP/1.1 request (RFC 9112 §2 to §7).
///
/// Everything is a range into the bytes that were parsed. One value is meant to be used for many
/// requests: it keeps the capacity of `fields`, so that parsing allocates nothing.
package struct RequestHead: Sendable {
  package enum Method: UInt8, Sendable {
    case get, head, post, put, delete, patch, options
    /// Any other token; `methodRange` has it.
    case other
  }

  /// How the end of the body is found (RFC 9112 §6.3).
  package enum BodyFraming: Equatable, Sendable {
    /// There is no body.
    case none
    /// The body has this many bytes.
    case length(UInt64)
    case chunked
  }

  /// One header field; offsets are 32 bits wide to keep the list small.
  package struct FieldLine: Sendable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    @usableFromInline let valueStart: UInt32
    @usableFromInline let valueEnd: UInt32
    package let known: KnownField

    @inline(__always)
    init(name: Range<Int>, value: Range<Int>, known: KnownField) {
      nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
      nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
      valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
      valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
      self.known = known
    }

    package var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    /// The value without white space at its ends; may be empty.
    @inlinable package var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
  }

  package internal(set) var method = Method.other
  package internal(set) var methodRange = 0..<0
  package internal(set) var targetRange = 0..<0
  /// The path as sent, percent-encoded; `/` when an absolute target has none, empty for `*`.
  package internal(set) var pathRange = 0..<0
  /// What follows the first `?` of the target, or `nil` when there is none.
  package internal(set) var queryRange: Range<Int>?
  /// The authority of an absolute target, else the value of `Host`; `nil` when there is neither.
  package internal(set) var hostRange: Range<Int>?
  /// 0 or 1, of HTTP/1.0 and HTTP/1.1.
  package internal(set) var minorVersion: UInt8 = 1
  package internal(set) var fields: [FieldLine] = []
  package internal(set) var framing = BodyFraming.none
  /// Whether another request may follow on this connection.
  package internal(set) var keepAlive = true
  /// Whether the client waits for `100 Continue` before it sends the body.
  package internal(set) var expectsContinue = false
  /// Bytes already searched for the end of the head, so that a slow sender's bytes are not searched
  /// again.
  package internal(set) var scanned = 0

  var asksForClose = false
  var asksForKeepAlive = false
  var asksForUpgrade = false
  var namesWebSocket = false
  /// One bit per known field; `firstIndex` holds a valid index where the bit is set.
  @usableFromInline var seen: UInt32 = 0
  private var seenTwice: UInt32 = 0
  @usableFromInline var firstIndex = InlineArray<25, UInt16>(repeating: 0)

  package init() { fields.reserveCapacity(32) }

  /// Whether the client asks to go on with WebSocket (RFC 6455 §4.2.1).
  package var wantsUpgradeToWebSocket: Bool { asksForUpgrade && namesWebSocket }

  /// The value of the first field of this name, or `nil` when it was not sent.
  // Inlinable, because a call across modules copies the whole head first.
  @inlinable package func first(_ known: KnownField) -> Range<Int>? {
    guard seen & Self.bit(known) != 0 else { return nil }
    return fields[Int(firstIndex[Int(known.rawValue)])].value
  }

  /// How many fields of this name were sent.
  package func count(_ known: KnownField) -> Int {
    guard seen & Self.bit(known) != 0 else { return 0 }
    guard seenTwice & Self.bit(known) != 0 else { return 1 }
    return fields.count { $0.known == known }
  }

  /// Forgets the head and what was scanned of the next; keeps the memory.
  package mutating func reset() {
    scanned = 0
    clear()
  }

  mutating func clear() {
    method = .other
    methodRange = 0..<0
    targetRange = 0..<0
    pathRange = 0..<0
    queryRange = nil
    hostRange = nil
    minorVersion = 1
    fields.removeAll(keepingCapacity: true)
    framing = .none
    keepAlive = true
    expectsContinue = false
    asksForClose = false
    asksForKeepAlive = false
    asksForUpgrade = false
    namesWebSocket = false
    seen = 0
    seenTwice = 0
  }

  /// Adds a field and notes where its name was seen first.
  @inline(__always)
  mutating func append(_ line: FieldLine) {
    if line.known != .other {
      let bit = Self.bit(line.known)
      if seen & bit == 0 {
        firstIndex[Int(line.known.rawValue)] = UInt16(truncatingIfNeeded: fields.count)
      } else {
        seenTwice |= bit
      }
      seen |= bit
    }
    fields.append(line)
  }

  /// Whether a field of this name was seen.
  @inline(__always)
  func has(_ known: KnownField) -> Bool { seen & Self.bit(known) != 0 }

  @inlinable static func bit(_ known: KnownField) -> UInt32 { 1 &<< UInt32(known.rawValue) }
}
