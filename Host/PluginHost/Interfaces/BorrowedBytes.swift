package import CGatewayPlugin

extension gw_bytes {
  /// Whether the span breaks the contract: bytes are counted but there are none.
  var isMalformed: Bool { unsafe start == nil && count > 0 }

  /// The bytes themselves, for the time of the call that brought them; none when malformed.
  var borrowed: UnsafeBufferPointer<UInt8> {
    unsafe start == nil
      ? unsafe UnsafeBufferPointer(start: nil, count: 0)
      : unsafe UnsafeBufferPointer(start: start, count: count)
  }

  /// A copy of the bytes.
  package var copied: [UInt8] { unsafe Array(borrowed) }

  /// A copy as text; `nil` when the bytes are not UTF-8 or malformed.
  package var text: String? {
    unsafe isMalformed ? nil : unsafe String(validating: borrowed, as: UTF8.self)
  }

  /// A copy as text of at most `limit` bytes, what is not UTF-8 replaced.
  func text(cutAt limit: Int) -> String {
    unsafe String(decoding: UnsafeBufferPointer(rebasing: borrowed.prefix(limit)), as: UTF8.self)
  }

  /// No bytes.
  package static var empty: gw_bytes { unsafe gw_bytes(start: nil, count: 0) }
}

extension gw_buffer {
  /// Gives the bytes back to their owner unused.
  package func giveBack() {
    unsafe release?(owner, bytes.start, bytes.count)
  }
}

/// Lends `bytes` to `body` in the contract's form.
package func withLent<Result>(_ bytes: [UInt8], _ body: (gw_bytes) -> Result) -> Result {
  unsafe bytes.withUnsafeBufferPointer { buffer in
    unsafe body(unsafe gw_bytes(start: buffer.baseAddress, count: buffer.count))
  }
}

/// Lends the UTF-8 of `text` to `body` in the contract's form.
package func withLent<Result>(_ text: String, _ body: (gw_bytes) -> Result) -> Result {
  unsafe withLent(Array(text.utf8), body)
}
