import Testing

@testable import Gateway

@Suite("Rate limit header fields")
struct RateFieldsTests {
  func fields(_ decision: RateDecision, _ tier: RateTier) -> [String] {
    var bytes: [UInt8] = []
    RateFields.append(decision, tier, unixTime: 1_700_000_000, to: &bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasSuffix("\r\n"))
    return text.split(separator: "\r\n").map(String.init)
  }

  let premium = RateTier(Tier(name: "premium", perMinute: 200, perHour: 5000))

  @Test func `an allowed request is told its rest`() {
    let decision = RateDecision(
      isAllowed: true,
      window: .minute,
      limit: 200,
      remaining: 199,
      resetSeconds: 12
    )
    #expect(
      fields(decision, premium) == [
        "X-RateLimit-Tier: premium",
        #"RateLimit-Policy: "minute";q=200;w=60, "hour";q=5000;w=3600"#,
        "X-RateLimit-Limit: 200",
        "X-RateLimit-Remaining: 199",
        "X-RateLimit-Reset: 1700000012",
        #"RateLimit: "minute";r=199;t=12"#,
      ]
    )
  }

  @Test func `a refused one is told when to come back`() {
    let decision = RateDecision(
      isAllowed: false,
      window: .hour,
      limit: 5000,
      remaining: 0,
      resetSeconds: 3660
    )
    #expect(
      fields(decision, premium).suffix(3) == [
        "X-RateLimit-Reset: 1700003660", #"RateLimit: "hour";r=0;t=3660"#, "Retry-After: 3660",
      ]
    )
  }

  @Test(arguments: [0, 9, 10, 99, 100, 101, 999, 1000, 123_456_789, 1_000_000_000])
  func `numbers are written whole`(_ number: Int) {
    let decision = RateDecision(
      isAllowed: false,
      window: .minute,
      limit: 200,
      remaining: number,
      resetSeconds: number
    )
    #expect(
      fields(decision, premium).suffix(4) == [
        "X-RateLimit-Remaining: \(number)", "X-RateLimit-Reset: \(1_700_000_000 + number)",
        "RateLimit: \"minute\";r=\(number);t=\(number)", "Retry-After: \(number)",
      ]
    )
  }

  @Test func `the longest numbers there are have room`() {
    var bytes: [UInt8] = []
    let decision = RateDecision(
      isAllowed: false,
      window: .hour,
      limit: 1,
      remaining: .max,
      resetSeconds: 3660
    )
    RateFields.append(decision, premium, unixTime: .max - 3660, to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self).contains("r=\(Int.max);t=3660"))
  }

  @Test func `an unlimited tier is only named`() {
    let free = RateTier(Tier(name: "bench", perMinute: 0, perHour: 0))
    #expect(fields(.unlimited, free) == ["X-RateLimit-Tier: bench"])
  }

  @Test func `a window without a limit has no policy`() {
    let hourly = RateTier(Tier(name: "h", perMinute: 0, perHour: 9))
    let decision = RateDecision(
      isAllowed: true,
      window: .hour,
      limit: 9,
      remaining: 8,
      resetSeconds: 1
    )
    #expect(fields(decision, hourly)[1] == #"RateLimit-Policy: "hour";q=9;w=3600"#)
  }
}

@Suite("Rate limit tiers")
struct RateTierTests {
  @Test func `an unknown tier is the standard one`() {
    let tiers = RateTiers(Tier.standardTiers)
    #expect(tiers.named("enterprise").perMinute == 500)
    #expect(tiers.named("gold") === tiers.fallback)
    #expect(tiers.fallback.name == "standard")
  }
}
