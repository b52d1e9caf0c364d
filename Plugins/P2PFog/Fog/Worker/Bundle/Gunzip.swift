import CZlib

/// Unpacks one gzip member (RFC 1952) piece by piece.
@safe package final class Gunzip {
  /// Bytes given out at once at most, however small the packed piece is.
  static let piece = 64 << 10

  // zlib keeps a pointer to the stream, which must therefore not move.
  private let stream: UnsafeMutablePointer<z_stream>
  private var isOver = false

  package init() {
    unsafe stream = .allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    // 15 bits of window, plus 16: gzip and nothing else.
    let code = unsafe inflateInit2_(
      stream,
      15 + 16,
      ZLIB_VERSION,
      CInt(MemoryLayout<z_stream>.size)
    )
    precondition(code == Z_OK, "zlib cannot begin")
  }

  deinit {
    unsafe inflateEnd(stream)
    unsafe stream.deallocate()
  }

  /// Unpacks what has come.
  ///
  /// - Parameters:
  ///   - bytes: The next packed ones.
  ///   - give: Gets unpacked ones, at most `piece` at a time.
  /// - Throws: `BundleFault` for damage or for what follows the end; what `give` throws.
  package func take(
    _ bytes: Span<UInt8>,
    _ give: (Span<UInt8>) throws(BundleFault) -> Void
  ) throws(BundleFault) {
    guard bytes.count > 0 else { return }
    guard !isOver else { throw BundleFault("Something follows the end of the gzip data.") }
    var output = [UInt8](repeating: 0, count: Self.piece)
    // zlib does not write to its input; its type only does not say so.
    var input = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    var offset = 0
    repeat {
      let (code, used, made) = unsafe input.withUnsafeMutableBufferPointer { input in
        unsafe output.withUnsafeMutableBufferPointer { output in
          unsafe stream.pointee.next_in = input.baseAddress.map { unsafe $0 + offset }
          unsafe stream.pointee.avail_in = UInt32(input.count - offset)
          unsafe stream.pointee.next_out = output.baseAddress
          unsafe stream.pointee.avail_out = UInt32(output.count)
          let code = unsafe inflate(stream, Z_NO_FLUSH)
          return unsafe (
            code, input.count - offset - Int(stream.pointee.avail_in),
            output.count - Int(stream.pointee.avail_out)
          )
        }
      }
      offset += used
      if made > 0 { try give(output.span.extracting(0..<made)) }
      switch code {
      case Z_STREAM_END:
        isOver = true
        guard offset == input.count else {
          throw BundleFault("Something follows the end of the gzip data.")
        }
        return
      case Z_OK: if offset == input.count, made < Self.piece { return }
      case Z_BUF_ERROR: return
      default: throw BundleFault("The gzip data of the bundle are damaged; upload it again.")
      }
    } while true
  }

  /// Checks that the end has come.
  package func finish() throws(BundleFault) {
    guard isOver else { throw BundleFault("The gzip data of the bundle end too early.") }
  }
}
