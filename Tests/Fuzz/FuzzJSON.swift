import Wire

/// What is read and written again must be the same value; a settings file takes all of JSON.
@c(LLVMFuzzerTestOneInput)
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count)
  let document = try? SettingsDocument.parse(Array(bytes), maxDepth: 64)
  guard let value = try? JSON.parse(bytes.span) else { return 0 }
  precondition(document?.root.json == value)
  guard let again = try? JSON.parse(value.bytes) else { preconditionFailure("unreadable") }
  precondition(again == value)
  return 0
}
