import Testing
import Wire

@Suite("Refused request heads")
struct HeadErrorTests {
  static let lines: [(String, HeadError, UInt16)] = [
    (" GET / HTTP/1.1\r\n", .malformedRequestLine, 400),
    ("GET\r\n", .malformedRequestLine, 400), ("G\u{0}T / HTTP/1.1\r\n", .malformedRequestLine, 400),
    ("ABCDEFGHIJKLMNOPQRSTU / HTTP/1.1\r\n", .methodTooLong(limit: 20), 400),
    ("GET  / HTTP/1.1\r\n", .malformedRequestLine, 400),
    ("GET /\r\n", .malformedVersion, 400), ("GET /\n", .bareLineFeed, 400),
    ("GET /  HTTP/1.1\r\n", .malformedVersion, 400), ("GET /\t", .targetByte(9), 400),
    ("GET /é HTTP/1.1\r\n", .targetByte(0xC3), 400),
    ("GET /a#b HTTP/1.1\r\n", .fragmentInTarget, 400),
    ("GET a HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("GET * HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("GET a.org:80 HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("GET http:///p HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("GET http://u@a/p HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("GET ftp://a/p HTTP/1.1\r\n", .unknownTargetForm, 400),
    ("CONNECT a:80 HTTP/1.1\r\n", .connectRefused, 400),
    ("GET / HTTP/1.1 \r\n", .malformedVersion, 400), ("GET / http/1.1\r\n", .malformedVersion, 400),
    ("GET / HTTP/11\r\n\r\n", .malformedVersion, 400),
    ("GET / HTTP/1.2\r\n", .unsupportedVersion, 505),
    ("GET / HTTP/2.0\r\n", .unsupportedVersion, 505), ("GET / HTTP/1.1\nH", .bareLineFeed, 400),
    ("GET / HTTP/1.1\rX", .bareCarriageReturn, 400), ("\rGET", .bareCarriageReturn, 400),
  ]

  @Test(arguments: lines)
  func `names what is wrong with a request line`(
    _ text: String,
    _ error: HeadError,
    _ status: UInt16
  ) {
    #expect(throws: error) { try RequestHeadTests.parse(text) }
    #expect(error.status == status)
    #expect(error.message.hasSuffix("."))
  }

  static let fields: [(String, HeadError, UInt16)] = [
    ("A : b\r\n", .spaceBeforeColon, 400), ("A b: c\r\n", .spaceBeforeColon, 400),
    (": b\r\n", .emptyFieldName, 400), ("A\u{0}: b\r\n", .fieldNameByte(0), 400),
    ("A(: b\r\n", .fieldNameByte(0x28), 400), ("é: b\r\n", .fieldNameByte(0xC3), 400),
    (" folded\r\n", .foldedLine, 400), ("A: b\r\n\tfolded\r\n", .foldedLine, 400),
    ("A\r\n", .missingColon, 400), ("A: b\rc\r\n", .bareCarriageReturn, 400),
    ("A: b\n", .bareLineFeed, 400), ("A\n", .bareLineFeed, 400),
    ("A: b\u{0}c\r\n", .fieldValueByte(0), 400),
    ("A: 12345678\u{7F}\r\n", .fieldValueByte(127), 400),
    ("A: \u{1}2345678\r\n", .fieldValueByte(1), 400), ("A: b\r\n\rX", .bareCarriageReturn, 400),
    ("Host: a\r\n", .repeatedHost, 400), ("HOST: b\r\n", .repeatedHost, 400),
    ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", .conflictingLengths, 400),
    ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", .conflictingLengths, 400),
    ("Content-Length: 1\r\nContent-Length: 1\r\n", .repeatedContentLength, 400),
    ("Content-Length: 1, 1\r\n", .invalidContentLength, 400),
    ("Content-Length: +1\r\n", .invalidContentLength, 400),
    ("Content-Length: -1\r\n", .invalidContentLength, 400),
    ("Content-Length: 0x1\r\n", .invalidContentLength, 400),
    ("Content-Length: 1 2\r\n", .invalidContentLength, 400),
    ("Content-Length:\r\n", .invalidContentLength, 400),
    ("Content-Length: 18446744073709551616\r\n", .invalidContentLength, 400),
    (
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .repeatedTransferEncoding, 400
    ),
    ("Transfer-Encoding: gzip, chunked\r\n", .unknownTransferCoding, 400),
    ("Transfer-Encoding: identity\r\n", .unknownTransferCoding, 400),
    ("Transfer-Encoding: chunked, chunked\r\n", .unknownTransferCoding, 400),
    ("Transfer-Encoding: \"chunked\"\r\n", .unknownTransferCoding, 400),
    ("Transfer-Encoding: \u{B}chunked\r\n", .fieldValueByte(0xB), 400),
    ("Expect: 200-ok\r\n", .unknownExpectation, 417),
  ]

  @Test(arguments: fields)
  func `names what is wrong with a field`(
    _ lines: String,
    _ error: HeadError,
    _ status: UInt16
  ) {
    #expect(throws: error) {
      try RequestHeadTests.parse("GET / HTTP/1.1\r\nHost: a\r\n\(lines)\r\n")
    }
    #expect(error.status == status)
    #expect(error.message.hasSuffix("."))
  }

  @Test(arguments: [
    ("", HeadError.missingHost), ("Host:\r\n", .invalidHost), ("Host: a b\r\n", .invalidHost),
    ("Host: a/b\r\n", .invalidHost), ("Host: u@a\r\n", .invalidHost),
    ("Host: a:b\r\n", .invalidHost), ("Host: a:1:2\r\n", .invalidHost),
    ("Host: a, b\r\n", .invalidHost), ("Host: [::1\r\n", .invalidHost),
    ("Host: []\r\n", .invalidHost), ("Host: :80\r\n", .invalidHost),
    ("Host: [::1]x\r\n", .invalidHost), ("Host: a:123456\r\n", .invalidHost),
  ])
  func `needs exactly one sound host`(_ lines: String, _ error: HeadError) {
    #expect(throws: error) { try RequestHeadTests.parse("GET / HTTP/1.1\r\n\(lines)\r\n") }
    #expect(error.status == 400)
  }

  @Test func `HTTP/1.0 has no transfer codings and no second host`() {
    #expect(throws: HeadError.transferEncodingInHTTP10) {
      try RequestHeadTests.parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
    }
    #expect(throws: HeadError.repeatedHost) {
      try RequestHeadTests.parse("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")
    }
  }

  @Test func `limits have their own status`() {
    #expect(HeadError.requestLineTooLong(limit: 1).status == 414)
    #expect(HeadError.headTooLong(limit: 1).status == 431)
    #expect(HeadError.tooManyFields(limit: 1).status == 431)
    #expect(HeadError.headTooLong(limit: 77).message.contains("77 bytes"))
  }
}
