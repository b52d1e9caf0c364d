/// A request head the peer was not allowed to send.
///
/// After one of these the bytes that follow cannot be trusted to start a request, so the connection
/// is closed once the answer is sent.
package enum HeadError: Error, Equatable, Sendable {
  case malformedRequestLine
  case methodTooLong(limit: Int)
  case connectRefused
  case targetByte(UInt8)
  case fragmentInTarget
  case unknownTargetForm
  case malformedVersion
  case unsupportedVersion
  case requestLineTooLong(limit: Int)
  case headTooLong(limit: Int)
  case tooManyFields(limit: Int)
  case bareLineFeed
  case bareCarriageReturn
  case missingColon
  case emptyFieldName
  case fieldNameByte(UInt8)
  case spaceBeforeColon
  case foldedLine
  case fieldValueByte(UInt8)
  case missingHost
  case repeatedHost
  case invalidHost
  case conflictingLengths
  case repeatedContentLength
  case invalidContentLength
  case transferEncodingInHTTP10
  case repeatedTransferEncoding
  case unknownTransferCoding
  case unknownExpectation

  /// The status of the answer.
  package var status: UInt16 {
    switch self {
    case .requestLineTooLong: 414  // RFC 9112 §3
    case .headTooLong, .tooManyFields: 431  // RFC 6585 §5
    case .unknownExpectation: 417  // RFC 9110 §10.1.1
    case .unsupportedVersion: 505  // RFC 9110 §15.6.6
    default: 400
    }
  }

  /// What was wrong and how to send it right, for the body of the answer.
  package var message: String {
    switch self {
    case .malformedRequestLine, .methodTooLong, .connectRefused, .targetByte, .fragmentInTarget,
      .unknownTargetForm, .malformedVersion, .unsupportedVersion:
      requestLineMessage
    case .requestLineTooLong(let limit):
      "The request line is longer than \(limit) bytes; shorten the path or the query."
    case .headTooLong(let limit):
      "Request line and header fields together exceed \(limit) bytes; send fewer or shorter fields."
    case .tooManyFields(let limit):
      "The request has more than \(limit) header fields; send fewer."
    case .conflictingLengths, .repeatedContentLength, .invalidContentLength,
      .transferEncodingInHTTP10, .repeatedTransferEncoding, .unknownTransferCoding:
      framingMessage
    default: fieldMessage
    }
  }

  private var requestLineMessage: String {
    switch self {
    case .methodTooLong(let limit):
      "The method is longer than \(limit) bytes; use a registered method."
    case .connectRefused: "This server opens no tunnels; send the request without CONNECT."
    case .targetByte(let byte):
      "The request target contains the byte \(byte); percent-encode all but visible ASCII."
    case .fragmentInTarget: "The request target contains '#'; leave the fragment out."
    case .unknownTargetForm:
      "The request target is neither a path starting with '/' nor an absolute http address."
    case .malformedVersion: "The request line does not end in HTTP/1.1; add the version."
    case .unsupportedVersion: "This HTTP version is not served here; use HTTP/1.1."
    default: "The request line is not of the form 'METHOD /path HTTP/1.1'; check its spaces."
    }
  }

  private var framingMessage: String {
    switch self {
    case .conflictingLengths:
      "Content-Length and Transfer-Encoding stand in one request; send only one of them."
    case .repeatedContentLength: "Content-Length is given more than once; send it once."
    case .transferEncodingInHTTP10:
      "Transfer-Encoding does not exist in HTTP/1.0; send Content-Length or use HTTP/1.1."
    case .repeatedTransferEncoding: "Transfer-Encoding is given more than once; send it once."
    case .unknownTransferCoding:
      "Transfer-Encoding is not exactly 'chunked', the only coding accepted here."
    default: "Content-Length is not one plain decimal number; send the number of body bytes."
    }
  }

  private var fieldMessage: String {
    switch self {
    case .bareLineFeed: "A line ends in LF alone; end every line with CR LF."
    case .bareCarriageReturn: "A CR stands without LF after it; end every line with CR LF."
    case .missingColon: "A header line has no colon; write 'Name: value'."
    case .emptyFieldName: "A header line has no name before its colon; write 'Name: value'."
    case .fieldNameByte(let byte):
      "A header field name contains the byte \(byte); use letters, digits and '-'."
    case .spaceBeforeColon: "A header field name contains or ends in a space; remove it."
    case .foldedLine: "A header line starts with a space; write each field on one line."
    case .fieldValueByte(let byte):
      "A header field value contains the control byte \(byte); remove or encode it."
    case .missingHost: "The Host field is missing; HTTP/1.1 requires it."
    case .repeatedHost: "The Host field is given more than once; send it once."
    case .invalidHost: "The Host field is not of the form 'name' or 'name:port'."
    default: "Expect is not '100-continue', the only expectation that can be met."
    }
  }
}
