import Testing
import Wire

@Suite("Lists in field values, RFC 9110 §5.6.1")
struct FieldListTests {
  @Test(arguments: [
    ("", []), ("a", ["a"]), (" a ,\tb\t,c", ["a", "b", "c"]), (",, a,,", ["a"]), (" , ", []),
    ("a b,c", ["a b", "c"]),
  ])
  func `passes over white space and empty elements`(
    _ text: String,
    _ expected: [String]
  ) throws {
    let elements = try withGuardedBytes(Array(text.utf8)) { bytes in
      var list = FieldList(0..<bytes.count)
      var elements: [String] = []
      while let range = list.next(bytes) { elements.append(ASCII.string(bytes, range) ?? "?") }
      return elements
    }
    #expect(elements == expected)
  }
}
