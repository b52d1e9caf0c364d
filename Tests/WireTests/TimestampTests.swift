import Testing
import Wire

@Suite("Timestamps, RFC 3339")
struct TimestampTests {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00Z"), (1_756_305_000, "2025-08-27T14:30:00Z"),
    (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
    (951_868_800, "2000-03-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
    (4_107_542_400, "2100-03-01T00:00:00Z"), (4_102_444_799, "2099-12-31T23:59:59Z"),
    (-2_203_891_200, "1900-03-01T00:00:00Z"),
  ])
  func `writes and reads seconds`(_ seconds: Int64, _ text: String) {
    #expect(Timestamp.text(nanoseconds: seconds * 1_000_000_000) == text)
    #expect(Timestamp.parse(text) == seconds * 1_000_000_000)
  }

  @Test func `cuts the fraction to milliseconds`() {
    #expect(
      Timestamp.text(nanoseconds: 1_756_305_000_123_999_999, milliseconds: true)
        == "2025-08-27T14:30:00.123Z"
    )
    #expect(Timestamp.text(nanoseconds: -1, milliseconds: true) == "1969-12-31T23:59:59.999Z")
  }

  @Test(
    arguments: [
      ("1970-01-01T00:00:00.5Z", 500_000_000), ("1970-01-01t00:00:00.000000001z", 1),
      ("1970-01-01T02:00:00+02:00", 0), ("1969-12-31T18:30:00-05:30", 0),
    ] as [(String, Int64)]
  )
  func `reads fractions and zones`(_ text: String, _ nanoseconds: Int64) {
    #expect(Timestamp.parse(text) == nanoseconds)
  }

  @Test(arguments: [
    "", "2025-08-27", "2025-08-27 14:30:00Z", "2025-08-27T14:30:00", "2025-02-29T00:00:00Z",
    "2025-13-01T00:00:00Z", "2025-04-31T00:00:00Z", "2025-08-27T24:00:00Z",
    "2025-08-27T14:60:00Z", "2025-08-27T14:30:60Z", "2025-08-27T14:30:00.Z",
    "2025-08-27T14:30:00.0000000001Z", "2025-08-27T14:30:00+0200", "2025-08-27T14:30:00+24:00",
    "2025-08-27T14:30:00Zx", "+025-08-27T14:30:00Z", "9999-01-01T00:00:00Z",
    "2025-00-10T00:00:00Z", "2025-01-00T00:00:00Z", "1900-02-29T00:00:00Z",
    "2025-08-27T14:30:00.1",
  ])
  func `refuses what is no time`(_ text: String) throws {
    #expect(try withGuardedBytes(Array(text.utf8)) { Timestamp.parse($0) } == nil)
  }
}
