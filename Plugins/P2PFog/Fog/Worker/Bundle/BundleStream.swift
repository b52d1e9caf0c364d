import PluginStorage

/// An archive with or without gzip, read piece by piece and held to the rules; it writes nothing.
package struct BundleStream: ~Copyable {
  /// What comes next of a bundle that is taken.
  package enum Event: Equatable {
    case step(BundleRules.Step)
    /// Bytes of the file of the last step: this range of what the handler is given.
    case data(Range<Int>)
    case endOfFile
  }

  /// Gets each event, and the bytes that its range is of.
  package typealias Handler = (Event, Span<UInt8>) throws(BundleFault) -> Void

  private var archive = TarReader()
  private var rules: BundleRules
  private var gunzip: Gunzip?
  private var head: [UInt8] = []
  private var isPacked: Bool?

  /// A bundle of which nothing has come.
  package init(_ limits: BundleRules.Limits) { rules = BundleRules(limits) }

  /// Bytes of its files so far.
  package var bytes: Int { rules.bytes }

  /// Entries so far, folders that were only implied included.
  package var entries: Int { rules.entries }

  /// Reads on.
  ///
  /// - Parameters:
  ///   - bytes: The next ones.
  ///   - handle: Told what came.
  /// - Throws: `BundleFault`, as soon as it is known; what `handle` throws.
  package mutating func take(
    _ bytes: Span<UInt8>,
    _ handle: Handler = { (_, _) throws(BundleFault) in }
  ) throws(BundleFault) {
    guard bytes.count > 0 else { return }
    if isPacked == nil {
      // Two bytes tell (RFC 1952): no name of a file in an archive begins so and passes the rules.
      unsafe bytes.withUnsafeBufferPointer { unsafe head.append(contentsOf: $0) }
      guard head.count >= 2 else { return }
      let isGzip = head[0] == 0x1F && head[1] == 0x8B
      isPacked = isGzip
      if isGzip { gunzip = Gunzip() }
      let first = head
      head = []
      return try read(first.span, handle)
    }
    try read(bytes, handle)
  }

  private mutating func read(
    _ bytes: Span<UInt8>,
    _ handle: Handler
  ) throws(BundleFault) {
    guard let gunzip else { return try Self.parse(bytes, &archive, &rules, handle) }
    try gunzip.take(bytes) { (piece) throws(BundleFault) in
      try Self.parse(piece, &archive, &rules, handle)
    }
  }

  private static func parse(
    _ bytes: Span<UInt8>,
    _ archive: inout TarReader,
    _ rules: inout BundleRules,
    _ handle: Handler
  ) throws(BundleFault) {
    var offset = 0
    while true {
      let event: TarReader.Event
      do { event = try archive.next(bytes, from: &offset) } catch { throw BundleFault(error) }
      switch event {
      case .needMore: return
      case .entry(let entry): try handle(.step(try rules.admit(entry)), bytes)
      case .data(let range): try handle(.data(range), bytes)
      case .endOfFile: try handle(.endOfFile, bytes)
      }
    }
  }

  /// Checks that the bundle is whole.
  ///
  /// - Throws: `BundleFault`.
  package func finish() throws(BundleFault) {
    try gunzip?.finish()
    do { try archive.finish() } catch { throw BundleFault(error) }
  }
}
