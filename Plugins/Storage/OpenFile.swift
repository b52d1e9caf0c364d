import Glibc

/// An open file with one owner; closed when that owner goes away.
package struct OpenFile: ~Copyable, Sendable {
  package let descriptor: CInt

  /// Opens `path`; the descriptor does not reach child processes.
  package init(path: String, flags: CInt) throws(StorageError) {
    while true {
      let opened = unsafe open(path, flags | O_CLOEXEC, 0o600)
      if opened >= 0 {
        descriptor = opened
        return
      }
      guard errno == EINTR else { throw .last("open") }
    }
  }

  // Not retried: on Linux the number is free again even when close(2) reports EINTR.
  deinit { _ = close(descriptor) }

  /// Bytes in the file.
  package func size() throws(StorageError) -> Int {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .last("fstat") }
    return Int(status.st_size)
  }

  /// Whether the file still stands in a folder.
  package func hasName() throws(StorageError) -> Bool {
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .last("fstat") }
    return status.st_nlink > 0
  }

  /// Appends all of `bytes`.
  package func write(_ bytes: Span<UInt8>) throws(StorageError) {
    let failure: StorageError? = unsafe bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          done += count
        } else if errno != EINTR {
          return .last("write")
        }
      }
      return nil
    }
    if let failure { throw failure }
  }

  /// Up to `count` bytes from `offset`; fewer only at the end of the file.
  package func read(at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
    var failure: StorageError?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = unsafe pread(
          descriptor,
          buffer.baseAddress.map { unsafe $0 + filled },
          count - filled,
          off_t(offset + filled)
        )
        if got > 0 {
          filled += got
        } else if got == 0 {
          return
        } else if errno != EINTR {
          failure = .last("pread")
          return
        }
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Returns once the bytes are on the disk.
  package func synchronize() throws(StorageError) {
    while fsync(descriptor) != 0 {
      guard errno == EINTR else { throw .last("fsync") }
    }
  }

  /// Takes the file's lock if nobody has it; the lock ends with the descriptor.
  package func lockIfFree() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

  /// Hands the first `limit` bytes to `body`, mapped instead of read: memory stays with the page cache.
  ///
  /// The file must not shrink meanwhile: touching a page that is gone ends the process.
  package func withContents<Value>(
    limit: Int,
    _ body: (Span<UInt8>) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    let count = min(try size(), limit)
    guard count > 0 else { return try body([UInt8]().span) }
    let start = unsafe mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let start = unsafe start, unsafe start != MAP_FAILED else { throw .last("mmap") }
    defer { unsafe munmap(start, count) }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
    return try body(unsafe bytes.assumingMemoryBound(to: UInt8.self).span)
  }
}
