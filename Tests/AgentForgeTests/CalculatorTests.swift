import Testing

@testable import AgentForge

@Suite("The calculator")
struct CalculatorTests {
  @Test(
    "values of expressions",
    arguments: [
      ("1", "1"), ("2 + 3 * 4", "14"), ("(2 + 3) * 4", "20"), ("10 - 4 - 3", "3"),
      ("24 / 4 / 2", "3"), ("7 / 2", "3.5"), ("1 / 3", "0.333333"), ("-2 * -3", "6"),
      ("2 - -3", "5"), ("--4", "4"), ("0.1 + 0.2", "0.3"), (" 12x3 ", "36"), ("((7))", "7"),
      ("0 - 1 / 4", "-0.25"), ("999999999 * 1000", "999999999000"), ("0.0000001", "0"),
      ("-0", "0"),
    ]
  )
  func values(expression: String, result: String) throws {
    #expect(try Calculator.result(of: expression) == result)
  }

  @Test(
    "what has no value is refused with the place or the reason",
    arguments: [
      ("", "ends"), ("1 +", "ends"), ("1 / 0", "division by zero"),
      ("5 / (3 - 3)", "division by zero"),
      ("(1", "closing parenthesis"), ("1)", "byte 2"), ("1 2", "byte 3"), ("a", "byte 1"),
      ("1.", "a digit"), (".5", "a number"), ("1 ++ 2", "byte 4"), ("1e5", "byte 2"),
      ("é", "byte 1"),
    ]
  )
  func faults(expression: String, reason: String) {
    let error = #expect(throws: CalculatorError.self) {
      try Calculator.value(of: expression)
    }
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test("an expression cut at any byte has a value or an error, and never ends the process")
  func cutExpressions() {
    let whole = Array("-(12.5 + 3) * (4 - -2) / 7.25 x 2".utf8)
    for length in 0...whole.count {
      let part = String(decoding: whole[..<length], as: UTF8.self)
      if let value = try? Calculator.value(of: part) { #expect(value.isFinite) }
    }
  }

  @Test("nesting and length are bounded, at the edge they are not")
  func bounds() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "1" + String(repeating: ")", count: depth)
    }
    #expect(try Calculator.value(of: nested(Calculator.deepest - 1)) == 1)
    #expect(throws: CalculatorError.self) { try Calculator.value(of: nested(Calculator.deepest)) }
    let long = String(repeating: "1", count: 300) + String(repeating: " ", count: 700)
    #expect(try Calculator.value(of: long).isFinite)
    #expect(throws: CalculatorError.self) { try Calculator.value(of: long + " ") }
    #expect(throws: CalculatorError.self) {
      try Calculator.value(of: String(repeating: "9", count: 400))
    }
    #expect(throws: CalculatorError.self) {
      try Calculator.value(
        of: String(repeating: "9", count: 300) + "*" + String(repeating: "9", count: 300)
      )
    }
  }
}
