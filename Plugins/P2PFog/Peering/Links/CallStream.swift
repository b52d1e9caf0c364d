/// One call on a link, from either side.
struct CallStream: Sendable {
  /// The caller's own number of it; 0 when the other calls.
  let call: UInt64
  /// What is asked.
  let method: String
  /// What is still to be sent.
  var writer: CallBodyWriter?
  /// What arrives.
  var reader: CallBodyReader?
  /// When it is given up; `nil` while the called works.
  var deadline: UInt64?
  /// Bytes of the reader that the link's allowance pays for.
  var reserved = 0
}
