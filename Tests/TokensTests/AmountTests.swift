import Foundation
import PluginStorage
import TestSupport
import Testing

@testable import Tokens

@Suite("Amounts")
struct AmountTests {
  static let one = Amount.unitsOfOne

  @Test(
    "a decimal text is read exactly, and written in its shortest form",
    arguments: [
      ("0", "0", Int128(0)), ("1", "1", one), ("12.5", "12.5", one * 25 / 2),
      ("0.01", "0.01", one / 100),
      ("1.0", "1", one), ("1.500000000000000000", "1.5", one * 3 / 2),
      ("0.000000000000000001", "0.000000000000000001", 1),
      (
        "123456789.123456789123456789", "123456789.123456789123456789",
        123_456_789_123_456_789_123_456_789
      ),
      ("9999999999.999999999999999999", "9999999999.999999999999999999", 10_000_000_000 * one - 1),
      ("1000000000000", "1000000000000", 1_000_000_000_000 * one),
    ]
  )
  func reads(_ text: String, _ written: String, _ units: Int128) throws {
    let amount = try Amount(text)
    #expect(amount.units == units && amount.description == written)
    #expect(try Amount(amount.description) == amount)
  }

  @Test(
    "what is no amount says why",
    arguments: [
      ("", AmountError.malformed), (" 1", .malformed), ("1 ", .malformed), ("1\n", .malformed),
      ("+1", .malformed),
      ("1e3", .malformed), ("1E3", .malformed), ("0x10", .malformed), (".5", .malformed),
      ("5.", .malformed),
      ("1.2.3", .malformed), ("1,5", .malformed), ("01", .malformed), ("00", .malformed),
      ("00.5", .malformed),
      ("--1", .malformed), ("-", .malformed), ("- 1", .malformed), ("NaN", .malformed),
      ("inf", .malformed),
      ("١", .malformed), ("1_000", .malformed), (".", .malformed),
      ("-1", .negative), ("-0", .negative), ("-0.5", .negative),
      ("0.0000000000000000001", .tooManyDecimals), ("1.0000000000000000000", .tooManyDecimals),
      ("1000000000000.000000000000000001", .tooLarge), ("1000000000001", .tooLarge),
      ("9999999999999", .tooLarge),
      ("10000000000000", .tooLarge), ("340282366920938463463374607431768211456", .tooLarge),
      (String(repeating: "9", count: 64), .tooLarge),
      (String(repeating: "9", count: 65), .malformed),
    ]
  )
  func refuses(_ text: String, _ error: AmountError) {
    #expect(throws: error) { try Amount(text) }
  }

  @Test("exactly the texts of the grammar are read, cut at every byte and from random ones")
  func grammar() throws {
    let grammar = try NSRegularExpression(pattern: #"^(0|[1-9][0-9]*)(\.[0-9]{1,18})?\z"#)
    func check(_ text: String) -> Bool {
      let range = NSRange(location: 0, length: text.utf16.count)
      let isAmount = grammar.firstMatch(in: text, range: range) != nil
      #expect(((try? Amount(text)) != nil) == isAmount, "\(text)")
      return isAmount
    }
    let whole = "123456789012.123456789012345678"
    for count in 0...whole.count { _ = check(String(whole.prefix(count))) }
    var random = SeededGenerator(seed: 5)
    let alphabet = Array("00123456789..-+e ,")
    var read = 0
    for _ in 0..<20_000 {
      let count = Int.random(in: 0...12, using: &random)
      let text = (0..<count).map { _ in
        alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
      }
      if check(String(text)) { read += 1 }
    }
    #expect(read > 500)
  }

  @Test(
    "limbs have the amount's sign, fit SQLite's integers, and give the amount back, also summed"
  )
  func limbs() throws {
    var random = SeededGenerator(seed: 7)
    var sum = Amount.zero
    var columns: (Int64, Int64, Int64) = (0, 0, 0)
    for _ in 0..<10_000 {
      let limit = Amount.greatestWhole * Self.one
      let amount = Amount(units: Int128.random(in: -limit...limit, using: &random))
      let limbs = amount.limbs
      #expect(limbs.allSatisfy { $0 == 0 || ($0 < 0) == (amount.units < 0) })
      #expect(abs(limbs[1]) < 1_000_000_000 && abs(limbs[2]) < 1_000_000_000)
      #expect(Amount(whole: limbs[0], nano: limbs[1], atto: limbs[2]) == amount)
      sum += amount
      columns = (columns.0 + limbs[0], columns.1 + limbs[1], columns.2 + limbs[2])
    }
    #expect(Amount(whole: columns.0, nano: columns.1, atto: columns.2) == sum)
    #expect(Amount(units: -1).description == "-0.000000000000000001")
    #expect(Amount(units: -Self.one * 3 / 2).description == "-1.5")
  }

  @Test("a share is rounded down and does not overflow")
  func shares() throws {
    #expect(Amount(units: 10).share(1, of: 3).units == 3)
    #expect(Amount(units: 2).share(1, of: 3).units == 0)
    #expect(
      try Amount("9999999999.999999999999999999").share(10_000, of: 10_000).description
        == "9999999999.999999999999999999"
    )
    #expect(try Amount("100").share(1, of: 10_000).description == "0.01")
    var random = SeededGenerator(seed: 9)
    for _ in 0..<1000 {
      let amount = Amount(units: Int128.random(in: 0...1_000_000_000_000, using: &random))
      let numerator = Int128.random(in: 0...1_000_000, using: &random)
      let denominator = Int128.random(in: 1...1_000_000, using: &random)
      #expect(
        amount.share(numerator, of: denominator).units == amount.units * numerator / denominator
      )
    }
  }
}
