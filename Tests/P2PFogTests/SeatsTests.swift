import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("Seats")
struct SeatsTests {
  private static func refusal(_ seats: Seats, _ user: String) -> Failure? {
    do throws(Failure) {
      _ = try seats.take(user)
      return nil
    } catch {
      return error
    }
  }

  @Test("one user has some of the seats, and never those that another may want")
  func perUser() throws {
    let seats = Seats("logs are followed", total: 3, perUser: 2, advice: "read it, ")
    let held = [try seats.take("ada"), try seats.take("ada")]
    let refused = try #require(Self.refusal(seats, "ada"))
    #expect(refused.status == 429 && refused.fields["Retry-After"] == "5")
    #expect(
      refused.message
        == "2 logs are followed for you already, as many as one user may have; read it, end one or try again."
    )
    let last = try seats.take("eve")
    let full = try #require(Self.refusal(seats, "eve"))
    #expect(full.status == 503 && full.code == "SERVICE_UNAVAILABLE")
    #expect(
      full.message
        == "3 logs are followed already, as many as can be for all users; read it, try again."
    )
    withExtendedLifetime((held, last)) {}
  }

  @Test("a seat is free again when its last holder lets go, and a refused one was never taken")
  func release() throws {
    let seats = Seats("files are sent", total: 2, perUser: 1)
    var held: Seats.Seat? = try seats.take("ada")
    for _ in 0..<5 { #expect(Self.refusal(seats, "ada")?.status == 429) }
    let other = try seats.take("eve")
    #expect(Self.refusal(seats, "bob")?.status == 503)
    var shared = held
    held = nil
    #expect(shared != nil && Self.refusal(seats, "ada")?.status == 429)
    shared = nil
    #expect(Self.refusal(seats, "bob") == nil)
    #expect(Self.refusal(seats, "ada") == nil)
    withExtendedLifetime(other) {}
  }
}
