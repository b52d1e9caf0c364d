import Glibc

/// Words for a new program, ended by a null pointer.
@safe final class CStrings {
  let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  let count: Int

  init(_ words: [String]) {
    count = words.count
    unsafe pointers = .allocate(capacity: words.count + 1)
    for (index, word) in words.enumerated() {
      unsafe (pointers + index).initialize(to: strdup(word))
    }
    unsafe (pointers + words.count).initialize(to: nil)
  }

  /// The first of them, which must be there.
  var first: UnsafePointer<CChar> {
    guard let first = unsafe pointers[0] else { preconditionFailure("no words") }
    return unsafe UnsafePointer(first)
  }

  deinit {
    for index in 0..<count { unsafe free(pointers[index]) }
    unsafe pointers.deallocate()
  }
}
