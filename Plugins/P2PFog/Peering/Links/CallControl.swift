/// The payload of a CONTROL frame: how a call begins, is answered, refused or given up.
///
/// Lengths come first, as the DATA frames that follow are their bytes: so a receiver knows what it takes on before it does.
enum CallControl: Equatable, Sendable {
  /// The caller asks; so many bytes of JSON and of attachment follow as DATA.
  case request(method: String, json: Int, bytes: Int)
  /// The called answers; so many bytes follow.
  case answer(json: Int, bytes: Int)
  /// The called refuses, at any time before its answer is complete; the stream is over.
  case refusal(CallRefusal)
  /// The caller does not want the answer any more; the stream is over.
  case cancel

  /// Bytes of the longest method.
  static let methodLimit = 64

  /// Whether `text` may be a method: `[a-z][a-z0-9_.]{0,63}`.
  static func isMethod(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    guard (1...methodLimit).contains(bytes.count), (97...122).contains(bytes[0]) else {
      return false
    }
    return bytes.allSatisfy {
      (97...122).contains($0) || (48...57).contains($0) || $0 == 95 || $0 == 46
    }
  }

  var payload: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .request(let method, let json, let bytes):
      writer.number(UInt8(1))
      writer.counted(Array(method.utf8))
      writer.number(UInt32(json))
      writer.number(UInt32(bytes))
    case .answer(let json, let bytes):
      writer.number(UInt8(2))
      writer.number(UInt32(json))
      writer.number(UInt32(bytes))
    case .refusal(let refusal):
      writer.number(UInt8(3))
      writer.counted(Array(refusal.code.utf8))
      writer.counted(Array(refusal.message.utf8))
    case .cancel: writer.number(UInt8(4))
    }
    return writer.bytes
  }

  init(_ payload: [UInt8]) throws(MalformedPacket) {
    var reader = ByteReader(payload)
    switch try reader.number(UInt8.self) {
    case 1:
      let method = try reader.text(atMost: Self.methodLimit)
      guard Self.isMethod(method) else { throw MalformedPacket("names no valid method") }
      let (json, bytes) = try Self.lengths(&reader)
      self = .request(method: method, json: json, bytes: bytes)
    case 2:
      let (json, bytes) = try Self.lengths(&reader)
      self = .answer(json: json, bytes: bytes)
    case 3:
      let code = try reader.text(atMost: CallRefusal.codeLimit)
      let message = try reader.text(atMost: CallRefusal.messageLimit)
      self = .refusal(CallRefusal(code: code, message: message))
    case 4: self = .cancel
    case let other: throw MalformedPacket("has a control of type \(other)")
    }
    try reader.end()
  }

  private static func lengths(_ reader: inout ByteReader) throws(MalformedPacket) -> (Int, Int) {
    let json = Int(try reader.number(UInt32.self))
    let bytes = Int(try reader.number(UInt32.self))
    guard json <= CallContent.jsonLimit, bytes <= CallContent.bytesLimit else {
      throw MalformedPacket("announces a body of \(json) and \(bytes) bytes")
    }
    return (json, bytes)
  }
}
