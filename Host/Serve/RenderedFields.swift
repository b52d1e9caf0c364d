import CGatewayPlugin

/// A plugin's header fields, rendered, with what the host must know of them to add its own.
struct RenderedFields: Sendable {
  /// `Name: value` lines, each ending in CR LF.
  var lines: [UInt8] = []
  var hasContentType = false
  /// Whether the content type is one that gzip makes smaller.
  var isCompressible = false
  var hasCacheControl = false
  var hasContentEncoding = false
  var hasSecurityPolicy = false
  /// An entity tag names the bytes as they are; other bytes would need another (RFC 9110 §8.8.3.3).
  var hasEntityTag = false

  /// Whether there are no fields at all.
  var isEmpty: Bool { lines.isEmpty }

  init() {}

  /// Renders `fields`; the HTTP interface has checked names and values.
  init(_ fields: UnsafeBufferPointer<gw_field>) {
    for index in fields.indices {
      let field = unsafe fields[index]
      let name = unsafe UnsafeRawBufferPointer(start: field.name.start, count: field.name.count)
      let value = unsafe UnsafeRawBufferPointer(start: field.value.start, count: field.value.count)
      unsafe note(name, value)
      unsafe lines.append(contentsOf: name)
      lines.append(contentsOf: [UInt8(ascii: ":"), UInt8(ascii: " ")])
      unsafe lines.append(contentsOf: value)
      lines.append(contentsOf: [UInt8(ascii: "\r"), UInt8(ascii: "\n")])
    }
  }

  private mutating func note(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    switch name.count {
    case 4 where unsafe Self.equal(name, "etag"): hasEntityTag = true
    case 12 where unsafe Self.equal(name, "content-type"):
      hasContentType = true
      isCompressible = unsafe Self.isCompressible(value)
    case 13 where unsafe Self.equal(name, "cache-control"): hasCacheControl = true
    case 16 where unsafe Self.equal(name, "content-encoding"): hasContentEncoding = true
    case 23 where unsafe Self.equal(name, "content-security-policy"): hasSecurityPolicy = true
    default: break
    }
  }

  private static func equal(_ bytes: UnsafeRawBufferPointer, _ lowercase: StaticString) -> Bool {
    for index in bytes.indices {
      guard unsafe bytes[index] | 0x20 == lowercase.utf8Start[index] | 0x20 else { return false }
    }
    return true
  }

  private static func isCompressible(_ type: UnsafeRawBufferPointer) -> Bool {
    let text = unsafe String(decoding: type, as: UTF8.self).lowercased()
    if text.hasPrefix("text/event-stream") { return false }
    return text.hasPrefix("text/") || text.hasPrefix("application/json")
      || text.hasPrefix("application/javascript") || text.hasPrefix("application/xml")
      || text.hasPrefix("image/svg") || text.contains("+json") || text.contains("+xml")
  }
}
