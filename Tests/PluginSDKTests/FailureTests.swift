import GatewayPlugin
import Testing

@Suite("Errors as answers")
struct FailureTests {
  @Test("a refusal for now says when to come again, in whole seconds, at least one")
  func refusalsForNowSayWhen() {
    for (time, text) in [
      (Duration.zero, "1"), (.seconds(1), "1"), (.milliseconds(1001), "2"), (.seconds(60), "60"),
    ] {
      let many = Failure.tooManyRequests("later", retryAfter: time)
      #expect(many.status == 429 && many.code.isEmpty && many.fields == ["Retry-After": text])
      let away = Failure.unavailable("later", retryAfter: time)
      #expect(away.status == 503 && away.fields == ["Retry-After": text])
    }
  }
}
