/// Headers of an uncompressed archive in the form ustar (POSIX.1-1988), as `tar` reads it.
///
/// An archive is, for each file, its header, its bytes and zeros up to a multiple of 512; then `end`.
package enum Tar {
  /// What headers and files are padded to.
  package static let block = 512

  /// The most bytes of a file: eleven octal digits.
  package static let maxFileBytes = 1 << 33 - 1

  /// What closes an archive.
  package static let end = [UInt8](repeating: 0, count: 2 * block)

  /// The zeros that follow a file of `size` bytes.
  package static func padding(_ size: Int) -> [UInt8] {
    [UInt8](repeating: 0, count: gap(size))
  }

  /// How many zeros follow a file of `size` bytes.
  package static func gap(_ size: Int) -> Int { (block - size % block) % block }

  /// Bytes of a whole archive of files of these sizes.
  package static func archiveBytes(_ sizes: [Int]) -> Int {
    sizes.reduce(end.count) { $0 + block + $1 + gap($1) }
  }

  /// The header of a file that its owner may write and everyone read.
  ///
  /// - Parameters:
  ///   - name: At most 100 bytes.
  ///   - size: 0 to `maxFileBytes`.
  ///   - seconds: When it was changed, since 1970.
  /// - Returns: 512 bytes.
  package static func header(name: String, size: Int, seconds: Int) -> [UInt8] {
    precondition(name.utf8.count <= 100 && (0...maxFileBytes).contains(size), "a ustar header")
    var header = [UInt8](repeating: 0, count: block)
    func put(_ text: String, at offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    put(name, at: 0)
    put(octal(0o644, 7), at: 100)
    put(octal(0, 7), at: 108)
    put(octal(0, 7), at: 116)
    put(octal(size, 11), at: 124)
    put(octal(min(max(0, seconds), maxFileBytes), 11), at: 136)
    put("0", at: 156)
    put("ustar", at: 257)
    put("00", at: 263)
    seal(&header)
    return header
  }

  /// Writes the checksum of a header whose other fields stand.
  package static func seal(_ header: inout [UInt8]) {
    header.replaceSubrange(
      148..<156,
      with: octal(checksum(header), 6).utf8 + [0, UInt8(ascii: " ")]
    )
  }

  private static func octal(_ value: Int, _ digits: Int) -> String {
    let text = String(value, radix: 8)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }

  /// The sum of a header's bytes, its own field taken as spaces.
  static func checksum(_ header: [UInt8]) -> Int {
    header.enumerated().reduce(0) { sum, element in
      sum + ((148..<156).contains(element.offset) ? 32 : Int(element.element))
    }
  }
}
