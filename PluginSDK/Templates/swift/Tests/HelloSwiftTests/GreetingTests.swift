import Testing

@testable import HelloSwift

@Suite("Greeting")
struct GreetingTests {
  @Test func `says the words and the name as often as asked`() {
    let greeting = Greeting(words: "Moin")
    #expect(greeting.line(for: "Ada", times: 1) == "Moin, Ada!")
    #expect(greeting.line(for: "Ada", times: 2) == "Moin, Ada! Moin, Ada!")
  }
}
