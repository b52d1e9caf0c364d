/// Takes the body of one upload, piece by piece.
///
/// The calls for one request never overlap, and come on workers: blocking in `receive` slows the
/// client down. The sink is let go when the request has ended, whatever way it ended.
public protocol BodySink {
  /// Takes the next bytes.
  ///
  /// - Parameter bytes: Valid for this call.
  /// - Throws: A `Failure` is the answer; no more bytes come, and `abandoned` follows.
  mutating func receive(_ bytes: Span<UInt8>) throws

  /// The body is whole.
  ///
  /// - Returns: The answer.
  /// - Throws: A `Failure` is the answer; `abandoned` follows.
  mutating func finish() throws -> Response

  /// The body will not be finished: it was cut off, refused, or too slow, or a call here threw.
  ///
  /// Removes what was kept. Comes at most once, as the last call.
  mutating func abandoned()
}
