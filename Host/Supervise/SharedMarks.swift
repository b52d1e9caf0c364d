import CLinux
import Glibc

/// The memory of a serving process's marks, which its supervisor sees too.
enum SharedMarks {
  /// Maps it into this process.
  ///
  /// - Parameter file: As `linux_make_marks` made it; it may be closed after that.
  /// - Returns: Valid until `unmap`.
  /// - Throws: `SystemError`.
  static func map(_ file: CInt) throws(SystemError) -> UnsafeMutablePointer<linux_marks> {
    let size = MemoryLayout<linux_marks>.size
    guard let start = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0),
      unsafe start != MAP_FAILED
    else { throw SystemError(call: "mmap", code: errno) }
    return unsafe start.bindMemory(to: linux_marks.self, capacity: 1)
  }

  /// Ends what `map` began.
  static func unmap(_ marks: UnsafeMutablePointer<linux_marks>) {
    unsafe munmap(marks, MemoryLayout<linux_marks>.size)
  }
}
