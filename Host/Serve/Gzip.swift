import CZlib

/// Compresses whole bodies in the gzip format (RFC 1952).
///
/// Belongs to one thread at a time: its 256 KiB of tables are made once and reused.
@safe final class Gzip {
  private let stream: UnsafeMutablePointer<z_stream>

  /// Bodies up to this many bytes are sent as they are: the head would outweigh the gain.
  static let plainBytes = 1000

  /// - Parameter level: 1 (fast) to 9 (small).
  init?(level: CInt = 4) {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    guard unsafe zlib_gzip_begin(stream, level) == Z_OK else { return nil }  // `deinit` frees
  }

  deinit {
    unsafe deflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Appends the compressed form of `body` to `output`.
  ///
  /// - Returns: Whether it did; when not, `output` is as it was and the body is better sent plain.
  func compress(_ body: UnsafeRawBufferPointer, to output: inout [UInt8]) -> Bool {
    guard unsafe deflateReset(stream) == Z_OK, body.count <= Int(UInt32.max) else {
      return false
    }
    let bound = unsafe Int(deflateBound(stream, UInt(body.count)))
    guard bound <= Int(UInt32.max) else { return false }  // zlib counts in 32 bits
    var isWhole = false
    let compressed = unsafe [UInt8](unsafeUninitializedCapacity: bound) { room, count in
      unsafe stream.pointee.next_in = UnsafeMutablePointer(
        mutating: body.assumingMemoryBound(to: UInt8.self).baseAddress
      )
      unsafe stream.pointee.avail_in = UInt32(body.count)
      unsafe stream.pointee.next_out = room.baseAddress
      unsafe stream.pointee.avail_out = UInt32(bound)
      isWhole = unsafe deflate(stream, Z_FINISH) == Z_STREAM_END
      count = unsafe bound - Int(stream.pointee.avail_out)
    }
    guard isWhole, compressed.count < body.count else { return false }
    output += compressed
    return true
  }
}
