import CGatewayPlugin

/// Writes one frame: numbers little-endian, bytes behind their length.
struct FrameBuilder {
  private(set) var bytes: [UInt8]

  /// - Parameters:
  ///   - kind: Of the frame.
  ///   - room: Bytes of payload that are likely.
  init(_ kind: LinkFrame.Kind, room: Int = 64) {
    bytes = []
    bytes.reserveCapacity(LinkFrame.headerBytes + room)
    bytes += [0, 0, 0, 0, kind.rawValue]
  }

  /// The whole frame.
  var finished: [UInt8] {
    consuming get {
      let length = bytes.count - LinkFrame.headerBytes
      for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
      return bytes
    }
  }

  /// Bytes of payload so far.
  var count: Int { bytes.count - LinkFrame.headerBytes }

  mutating func add<Number: FixedWidthInteger>(_ number: Number) {
    unsafe withUnsafeBytes(of: number.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  mutating func add(_ flag: Bool) { bytes.append(flag ? 1 : 0) }
  mutating func add(_ number: Double) { add(number.bitPattern) }

  mutating func add(_ span: gw_bytes) {
    add(UInt32(clamping: unsafe span.count))
    unsafe bytes.append(contentsOf: span.borrowed)
  }

  mutating func add(_ array: [UInt8]) {
    add(UInt32(clamping: array.count))
    bytes += array
  }

  /// Adds what another builder wrote.
  mutating func append(_ raw: [UInt8]) { bytes += raw }

  mutating func add(_ text: String) {
    add(UInt32(clamping: text.utf8.count))
    bytes += text.utf8
  }

  mutating func add(_ fields: UnsafeBufferPointer<gw_field>) {
    add(UInt32(clamping: fields.count))
    for index in 0..<fields.count {
      unsafe add(fields[index].name)
      unsafe add(fields[index].value)
    }
  }
}

/// Reads one frame's payload; its spans point into it.
// Safe although it holds a pointer: `LinkFrame.read` makes it for one call, and every read is checked against the end.
@safe
struct FrameReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var offset = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { unsafe self.bytes = bytes }

  mutating func number<Number: FixedWidthInteger>(
    _: Number.Type = Number.self
  ) throws(LinkFrame.Fault) -> Number {
    let size = MemoryLayout<Number>.size
    guard unsafe bytes.count - offset >= size else { throw .badLength }
    defer { offset += size }
    return unsafe Number(
      littleEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(
        fromByteOffset: offset,
        as: Number.self
      )
    )
  }

  /// A number of at most `most`.
  mutating func count(most: Int) throws(LinkFrame.Fault) -> Int {
    let count = try Int(number(UInt32.self))
    guard count <= most else { throw .badValue }
    return count
  }

  mutating func flag() throws(LinkFrame.Fault) -> Bool {
    let byte = try number(UInt8.self)
    guard byte < 2 else { throw .badValue }
    return byte == 1
  }

  mutating func double() throws(LinkFrame.Fault) -> Double {
    try Double(bitPattern: number(UInt64.self))
  }

  mutating func span() throws(LinkFrame.Fault) -> gw_bytes {
    let count = try Int(number(UInt32.self))
    guard unsafe bytes.count - offset >= count else { throw .badLength }
    defer { offset += count }
    guard count > 0, let base = unsafe bytes.baseAddress else { return unsafe .empty }
    return unsafe gw_bytes(start: base + offset, count: count)
  }

  /// A copy as text; what is not UTF-8 is replaced.
  mutating func text() throws(LinkFrame.Fault) -> String {
    let span = unsafe try span()
    return unsafe String(decoding: span.borrowed, as: UTF8.self)
  }

  mutating func array() throws(LinkFrame.Fault) -> [UInt8] { unsafe try span().copied }

  /// At most `most` pairs of name and value.
  mutating func fields(most: Int) throws(LinkFrame.Fault) -> [gw_field] {
    let count = try count(most: most)
    var fields: [gw_field] = unsafe []
    unsafe fields.reserveCapacity(count)
    for _ in 0..<count {
      unsafe try fields.append(gw_field(name: span(), value: span()))
    }
    return unsafe fields
  }

  /// At most `most` spans.
  mutating func spans(most: Int) throws(LinkFrame.Fault) -> [gw_bytes] {
    let count = try count(most: most)
    var spans: [gw_bytes] = unsafe []
    for _ in 0..<count { unsafe try spans.append(span()) }
    return unsafe spans
  }

  /// Leaves the rest unread.
  mutating func skip() { unsafe offset = bytes.count }

  func end() throws(LinkFrame.Fault) {
    guard unsafe offset == bytes.count else { throw .badLength }
  }
}
