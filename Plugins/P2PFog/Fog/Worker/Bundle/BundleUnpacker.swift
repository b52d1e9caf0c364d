import Glibc
import PluginStorage

/// Makes the files of a bundle in an empty folder that nobody else writes to.
package struct BundleUnpacker: ~Copyable {
  /// Bytes read at once.
  private static let piece = 256 << 10

  private let root: CInt
  private var file: CInt = -1
  /// What the disk refused, told after the reading.
  private var failure: StorageError?

  /// Checks a bundle and, when all of it is taken, unpacks it.
  ///
  /// - Parameters:
  ///   - path: The archive.
  ///   - folder: Empty; gets the files.
  ///   - limits: What it may be.
  /// - Returns: Bytes of its files.
  /// - Throws: `BundleFault` before anything is written, `StorageError`.
  @discardableResult
  package static func unpack(
    _ path: String,
    into folder: String,
    _ limits: BundleRules.Limits
  ) throws -> Int {
    let archive = try OpenFile(path: path, flags: O_RDONLY)
    let bytes = try read(archive, limits) { (_, _) throws(BundleFault) in }
    var unpacker = try BundleUnpacker(folder)
    do {
      _ = try read(archive, limits) { (event, bytes) throws(BundleFault) in
        try unpacker.make(event, bytes)
      }
    } catch {
      throw unpacker.failure.map { $0 as any Error } ?? error
    }
    return bytes
  }

  private static func read(
    _ archive: borrowing OpenFile,
    _ limits: BundleRules.Limits,
    _ handle: BundleStream.Handler
  ) throws -> Int {
    var stream = BundleStream(limits)
    var offset = 0
    while true {
      let bytes = try archive.read(at: offset, count: piece)
      if bytes.isEmpty { break }
      offset += bytes.count
      try stream.take(bytes.span, handle)
    }
    try stream.finish()
    return stream.bytes
  }

  private init(_ folder: String) throws(StorageError) {
    root = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard root >= 0 else { throw .last("open") }
  }

  deinit {
    if file >= 0 { close(file) }
    if root >= 0 { close(root) }
  }

  private mutating func make(
    _ event: BundleStream.Event,
    _ bytes: Span<UInt8>
  ) throws(BundleFault) {
    do throws(StorageError) {
      switch event {
      case .step(let step): try make(step)
      case .data(let range): try write(bytes.extracting(range))
      case .endOfFile:
        close(file)
        file = -1
      }
    } catch {
      failure = error
      throw BundleFault("\(error)")
    }
  }

  private mutating func make(_ step: BundleRules.Step) throws(StorageError) {
    switch step {
    case .nothing: return
    case .folder(let path): close(try folder(path))
    case .file(let path, _, let isExecutable):
      let parent = try folder(path.dropLast())
      defer { close(parent) }
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
      let mode: mode_t = isExecutable ? 0o755 : 0o644
      file = unsafe openat(parent, path[path.count - 1], flags, mode)
      guard file >= 0 else { throw .last("openat") }
    case .link(let path, let target):
      let parent = try folder(path.dropLast())
      defer { close(parent) }
      guard unsafe symlinkat(target, parent, path[path.count - 1]) == 0 else {
        throw .last("symlinkat")
      }
    case .sameAs(let path, let original):
      let parent = try folder(path.dropLast())
      defer { close(parent) }
      let from = try folder(original.dropLast())
      defer { close(from) }
      let code = unsafe linkat(from, original[original.count - 1], parent, path[path.count - 1], 0)
      guard code == 0 else { throw .last("linkat") }
    }
  }

  /// Opens a folder beneath the root, made with all above it; through no link.
  private func folder(_ path: some Collection<String>) throws(StorageError) -> CInt {
    var current = fcntl(root, F_DUPFD_CLOEXEC, 0)
    guard current >= 0 else { throw .last("fcntl") }
    for name in path {
      guard unsafe mkdirat(current, name, 0o755) == 0 || errno == EEXIST else {
        let error = StorageError.last("mkdirat")
        close(current)
        throw error
      }
      let inner = unsafe openat(
        current,
        name,
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
      )
      let error = StorageError.last("openat")
      close(current)
      guard inner >= 0 else { throw error }
      current = inner
    }
    return current
  }

  private func write(_ bytes: Span<UInt8>) throws(StorageError) {
    let error: StorageError? = unsafe bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[done...])
        let count = unsafe Glibc.write(file, rest.baseAddress, rest.count)
        if count >= 0 {
          done += count
        } else if errno != EINTR {
          return .last("write")
        }
      }
      return nil
    }
    if let error { throw error }
  }
}
