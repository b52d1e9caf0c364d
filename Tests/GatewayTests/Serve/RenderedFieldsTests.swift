import CGatewayPlugin
import Testing

@testable import Gateway

/// Lends `fields` in the contract's form.
func withFields<Result>(
  _ fields: [(String, String)],
  _ body: (UnsafeBufferPointer<gw_field>) -> Result
) -> Result {
  let bytes = fields.flatMap { Array($0.0.utf8) + Array($0.1.utf8) }
  return bytes.withUnsafeBufferPointer { bytes in
    var list: [gw_field] = []
    var offset = 0
    for (name, value) in fields {
      let (nameCount, valueCount) = (name.utf8.count, value.utf8.count)
      list.append(
        gw_field(
          name: gw_bytes(start: bytes.baseAddress.map { $0 + offset }, count: nameCount),
          value: gw_bytes(
            start: bytes.baseAddress.map { $0 + offset + nameCount },
            count: valueCount
          )
        )
      )
      offset += nameCount + valueCount
    }
    return list.withUnsafeBufferPointer(body)
  }
}

@Suite("A plugin's header fields")
struct RenderedFieldsTests {
  private func rendered(_ fields: [(String, String)]) -> RenderedFields {
    withFields(fields) { RenderedFields($0) }
  }

  @Test func `are lines in the order given`() {
    let fields = rendered([("X-One", "1"), ("x-two", ""), ("X-One", "again")])
    #expect(
      String(decoding: fields.lines, as: UTF8.self) == "X-One: 1\r\nx-two: \r\nX-One: again\r\n"
    )
    #expect(!fields.hasContentType && !fields.hasCacheControl && !fields.hasContentEncoding)
    #expect(!fields.hasSecurityPolicy && !fields.isCompressible)
    #expect(rendered([]).lines.isEmpty)
  }

  @Test(arguments: ["Content-Type", "content-type", "CONTENT-TYPE"])
  func `that matter to the host are noticed in any case`(_ name: String) {
    #expect(rendered([(name, "text/plain")]).hasContentType)
    #expect(rendered([("X", "1"), ("cACHE-cONTROL", "no-cache")]).hasCacheControl)
    #expect(rendered([("Content-encoding", "br")]).hasContentEncoding)
    #expect(rendered([("content-security-policy", "x")]).hasSecurityPolicy)
  }

  @Test(arguments: ["Content-Typo", "Content_Type", "XContent-Type", "Content-Typ"])
  func `of similar names are not`(_ name: String) {
    #expect(!rendered([(name, "text/plain")]).hasContentType)
  }

  @Test(arguments: [
    "text/plain", "TEXT/HTML; charset=utf-8", "application/json", "application/problem+json",
    "application/atom+xml", "image/svg+xml", "application/javascript",
  ])
  func `say that texts can be compressed`(_ type: String) {
    #expect(rendered([("Content-Type", type)]).isCompressible)
  }

  @Test(arguments: [
    "", "image/png", "application/octet-stream", "application/zip", "video/mp4",
    // A compressor holds events back until it has enough of them.
    "text/event-stream", "text/event-stream; charset=utf-8",
  ])
  func `say that others cannot`(_ type: String) {
    #expect(!rendered([("Content-Type", type)]).isCompressible)
  }
}
