import Testing

@testable import Gateway

@Suite("Trace ids, W3C Trace Context")
struct TraceContextTests {
  private static let id = "0af7651916cd43dd8448eb211c80319c"
  private static let parent = "b7ad6b7169203331"

  private func traceID(_ field: String) -> String? {
    let bytes = Array(field.utf8)
    return TraceContext.traceID(in: bytes.span).map { String(decoding: bytes[$0], as: UTF8.self) }
  }

  @Test(arguments: [
    "00-\(id)-\(parent)-01", "00-\(id)-\(parent)-00", "00-\(id)-\(parent)-ff",
    // A later version may have more, behind another dash.
    "01-\(id)-\(parent)-01", "cc-\(id)-\(parent)-01-what-the-future-holds",
  ])
  func `is taken from a well-formed field`(_ field: String) {
    #expect(traceID(field) == Self.id)
  }

  @Test(arguments: [
    "", "00", "00-\(id)-\(parent)-01-", "00-\(id)-\(parent)-011", "01-\(id)-\(parent)-01x",
    "ff-\(id)-\(parent)-01", "00-00000000000000000000000000000000-\(parent)-01",
    "00-\(id)-0000000000000000-01", "00-\(id.uppercased())-\(parent)-01", "00_\(id)-\(parent)-01",
    "00-\(id)_\(parent)-01", "00-\(id)-\(parent)_01", "0g-\(id)-\(parent)-01",
    "00-\(id)-\(parent)-0G", " 00-\(id)-\(parent)-01", "00-\(id)-\(parent)-01 ",
    "00-g\(id.dropFirst())-\(parent)-01", "00-\(id)-g\(parent.dropFirst())-01",
  ])
  func `is not taken from any other`(_ field: String) {
    #expect(traceID(field) == nil)
  }

  @Test func `is not taken from a field cut at any byte`() {
    let whole = "00-\(Self.id)-\(Self.parent)-01"
    for count in 0..<whole.utf8.count { #expect(traceID(String(whole.prefix(count))) == nil) }
  }
}
