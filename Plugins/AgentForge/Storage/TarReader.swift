import PluginStorage

/// Why bytes are no archive that is taken.
package struct TarError: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// Takes an archive apart as it arrives: plain files, in the forms that ustar, GNU tar and pax write them.
///
/// Links, folders, devices and names or sizes that stand elsewhere than in the header are refused.
package struct TarReader {
  /// The most bytes of a pax header, and of what follows the end of the archive.
  private static let maxExtraBytes = 64 << 10

  /// What comes next.
  package enum Event: Equatable {
    /// A file begins.
    case begin(name: String, size: Int)
    /// Bytes of the file: this range of what was given.
    case data(Range<Int>)
    /// The file is whole.
    case end
    /// More bytes are needed.
    case needMore
  }

  private enum State {
    case header
    case file(left: Int, size: Int)
    case extended(left: Int, size: Int)
    case padding(left: Int)
    case zeroBlock
    case after(bytes: Int)
  }

  private var state = State.header
  private var pending: [UInt8] = []

  /// An archive of which nothing has come.
  package init() {}

  /// Reads on.
  ///
  /// - Parameters:
  ///   - bytes: What has come; the whole of it until it is used up.
  ///   - offset: Where reading goes on; moved past what was used.
  /// - Returns: What came.
  /// - Throws: `TarError` at the first byte that decides it.
  package mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(TarError) -> Event {
    while true {
      switch state {
      case .file(let left, let size):
        if left == 0 {
          state = .padding(left: Tar.padding(size).count)
          return .end
        }
        let count = min(left, bytes.count - offset)
        guard count > 0 else { return .needMore }
        state = .file(left: left - count, size: size)
        defer { offset += count }
        return .data(offset..<offset + count)
      case .extended(let left, let size):
        guard take(left, bytes, &offset) else { return .needMore }
        try Self.checkExtended(pending)
        pending = []
        state = .padding(left: Tar.padding(size).count)
      case .padding(let left):
        let count = min(left, bytes.count - offset)
        offset += count
        state = left == count ? .header : .padding(left: left - count)
        if left > count { return .needMore }
      case .header, .zeroBlock:
        guard take(Tar.block, bytes, &offset) else { return .needMore }
        let header = pending
        pending = []
        if let event = try begin(header) { return event }
      case .after(let count):
        guard offset < bytes.count else { return .needMore }
        guard count < Self.maxExtraBytes, bytes[offset] == 0 else {
          throw TarError("something follows the end of the archive")
        }
        offset += 1
        state = .after(bytes: count + 1)
      }
    }
  }

  /// Checks that the archive is whole: its end has come.
  package func finish() throws(TarError) {
    guard case .after = state else { throw TarError("the archive ends before its end mark") }
  }

  /// Collects `count` bytes in `pending`; false when more are needed.
  private mutating func take(_ count: Int, _ bytes: Span<UInt8>, _ offset: inout Int) -> Bool {
    let end = min(bytes.count, offset + count - pending.count)
    unsafe bytes.extracting(offset..<end).withUnsafeBufferPointer {
      unsafe pending.append(contentsOf: $0)
    }
    offset = end
    return pending.count == count
  }

  /// What a header begins; `nil` when nothing is told of it.
  private mutating func begin(_ header: [UInt8]) throws(TarError) -> Event? {
    if header.allSatisfy({ $0 == 0 }) {
      if case .zeroBlock = state { state = .after(bytes: 0) } else { state = .zeroBlock }
      return nil
    }
    if case .zeroBlock = state { throw TarError("a file follows the end of the archive") }
    guard header[257..<262].elementsEqual("ustar".utf8) else {
      throw TarError("the body is not a tar archive of the form ustar")
    }
    guard Self.octal(header[148..<156]) == Tar.checksum(header) else {
      throw TarError("a header's checksum is wrong")
    }
    guard let size = Self.octal(header[124..<136]) else {
      throw TarError("a header's size is not an octal number")
    }
    let name = Self.text(header[0..<100])
    switch header[156] {
    case UInt8(ascii: "0"), 0:
      guard let name, !name.isEmpty, header[345] == 0 else {
        throw TarError("a file's name must be short text without folders")
      }
      state = .file(left: size, size: size)
      return .begin(name: name, size: size)
    case UInt8(ascii: "x"), UInt8(ascii: "g"):
      guard size <= Self.maxExtraBytes else { throw TarError("a pax header is too long") }
      state = .extended(left: size, size: size)
      return nil
    default:
      throw TarError("\(name ?? "an entry") is no plain file; send files alone, without folders")
    }
  }

  /// Refuses a pax header (POSIX.1-2001) that says where or how large a file is; times and users do not matter.
  private static func checkExtended(_ bytes: [UInt8]) throws(TarError) {
    for record in bytes.split(separator: UInt8(ascii: "\n")) {
      let key = record.drop { $0 != UInt8(ascii: " ") }.dropFirst()
        .prefix { $0 != UInt8(ascii: "=") }
      let isSized = ["size", "path", "linkpath"].contains { key.elementsEqual($0.utf8) }
      if isSized || key.starts(with: "GNU.sparse".utf8) {
        throw TarError("a pax header names \(String(decoding: key, as: UTF8.self)); use ustar")
      }
    }
  }

  /// Octal digits between spaces or before a NUL.
  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.drop { $0 == UInt8(ascii: " ") }
      .prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
    guard (1...12).contains(digits.count) else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      value = value << 3 | Int(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String? {
    String(validating: field.prefix { $0 != 0 }, as: UTF8.self)
  }
}
