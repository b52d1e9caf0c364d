import Testing
import Wire

@Suite("UTF-8, RFC 3629")
struct UTF8ValidatorTests {
  static func isValid(_ bytes: [UInt8]) -> Bool {
    var validator = UTF8Validator()
    for byte in bytes {
      guard validator.accept(byte) else { return false }
    }
    return validator.isComplete
  }

  @Test func `accepts every scalar`() {
    for value in UInt32(0)...0x10FFFF {
      guard let scalar = Unicode.Scalar(value) else { continue }
      if !Self.isValid(Array(String(scalar).utf8)) {
        Issue.record("U+\(String(value, radix: 16)) was refused")
      }
    }
  }

  @Test func `agrees with the standard library on all short sequences`() {
    for first in UInt8(0x7F)...0xFF {
      for second in stride(from: 0, through: 0xFF, by: 1).map({ UInt8($0) }) {
        for rest in [[], [0x7F], [0x80], [0xBF, 0x80], [0x80, 0xC0]] as [[UInt8]] {
          let bytes = [first, second] + rest
          let expected = String(validating: bytes, as: UTF8.self) != nil
          if Self.isValid(bytes) != expected { Issue.record("\(bytes)") }
        }
      }
    }
  }

  @Test func `is incomplete inside a character`() {
    var validator = UTF8Validator()
    for (byte, complete) in zip(Array("é😀".utf8), [false, true, false, false, false, true]) {
      let isAccepted = validator.accept(byte)
      #expect(isAccepted)
      #expect(validator.isComplete == complete)
    }
  }
}
