extension JSON {
  /// Appends the value as compact JSON in UTF-8.
  public func write(to output: inout [UInt8]) {
    switch self {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): Self.writeInteger(value, to: &output)
    case .number(let value):
      output.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
    case .string(let text): Self.writeString(text, to: &output)
    case .array(let values): Self.writeArray(values, to: &output)
    case .object(let members): Self.writeObject(members, to: &output)
    }
  }

  /// The value as compact JSON.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The value as compact JSON in UTF-8.
  public var bytes: [UInt8] {
    var output: [UInt8] = []
    write(to: &output)
    return output
  }

  /// Appends `text` in double quotes, with quotes, backslashes and control characters escaped.
  public static func writeString(_ text: String, to output: inout [UInt8]) {
    writeString(utf8: text.utf8.span, to: &output)
  }

  /// Appends `bytes`, which are UTF-8, as `writeString` appends a text.
  package static func writeString(utf8 bytes: Span<UInt8>, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    var start = 0  // of the run that needs no escape
    for index in bytes.indices where needsEscape(bytes[index]) {
      append(bytes, start..<index, to: &output)
      writeEscape(bytes[index], to: &output)
      start = index + 1
    }
    append(bytes, start..<bytes.count, to: &output)
    output.append(UInt8(ascii: "\""))
  }

  /// Appends `value` in decimal digits.
  public static func writeInteger(_ value: Int64, to output: inout [UInt8]) {
    if value < 0 { output.append(UInt8(ascii: "-")) }
    ASCII.writeDecimal(value.magnitude, to: &output)
  }

  private static func writeArray(_ values: [JSON], to output: inout [UInt8]) {
    output.append(UInt8(ascii: "["))
    var isFirst = true
    for value in values {
      if !isFirst { output.append(UInt8(ascii: ",")) }
      isFirst = false
      value.write(to: &output)
    }
    output.append(UInt8(ascii: "]"))
  }

  private static func writeObject(_ members: [Member], to output: inout [UInt8]) {
    output.append(UInt8(ascii: "{"))
    var isFirst = true
    for member in members {
      if !isFirst { output.append(UInt8(ascii: ",")) }
      isFirst = false
      writeString(member.name, to: &output)
      output.append(UInt8(ascii: ":"))
      member.value.write(to: &output)
    }
    output.append(UInt8(ascii: "}"))
  }

  private static func append(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>,
    to output: inout [UInt8]
  ) {
    // The buffer is read within the call.
    unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe output.append(contentsOf: $0) }
  }

  @inline(__always)
  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  private static func writeEscape(_ byte: UInt8, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\\"))
    switch byte {
    case 0x08: output.append(UInt8(ascii: "b"))
    case 0x09: output.append(UInt8(ascii: "t"))
    case 0x0A: output.append(UInt8(ascii: "n"))
    case 0x0C: output.append(UInt8(ascii: "f"))
    case 0x0D: output.append(UInt8(ascii: "r"))
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(byte)
    default:
      output.append(contentsOf: "u00".utf8)
      output.append(byte >> 4 == 0 ? UInt8(ascii: "0") : UInt8(ascii: "1"))
      let digit = byte & 0x0F
      output.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    }
  }
}
