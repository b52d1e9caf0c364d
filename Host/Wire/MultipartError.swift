/// A multipart body the peer was not allowed to send.
public enum MultipartError: Error, Equatable, Sendable {
  /// The content type is not `multipart/form-data` with a boundary of 1 to 70 allowed bytes.
  case invalidBoundary
  /// A boundary is followed by something else than a line end or `--`.
  case malformedDelimiter
  /// A part's header fields are longer than allowed.
  case headerTooLong(limit: Int)
  /// A part's header field is malformed.
  case malformedHeader
  /// A part has no `Content-Disposition: form-data` with a name, or has two.
  case missingName
  /// The file name of a part is not UTF-8, or its encoding is malformed.
  case invalidFilename
  /// There are more parts than allowed.
  case tooManyParts(limit: Int)
  /// The body ends before its last boundary.
  case truncated

  /// What was wrong and how to send it right.
  public var message: String {
    switch self {
    case .invalidBoundary:
      "The content type is not multipart/form-data with a boundary of 1 to 70 characters."
    case .malformedDelimiter:
      "A boundary is not followed by a line end; choose one that the parts do not contain."
    case .headerTooLong(let limit):
      "The header fields of a part exceed \(limit) bytes; shorten its name or file name."
    case .malformedHeader: "A header field of a part is malformed; write 'Name: value'."
    case .missingName:
      "A part does not have one 'Content-Disposition: form-data; name=\"…\"'; add the name."
    case .invalidFilename: "A file name is not valid UTF-8; encode it as UTF-8."
    case .tooManyParts(let limit): "The form has more than \(limit) parts; send fewer."
    case .truncated: "The form ends before its last boundary; send it whole."
    }
  }
}
