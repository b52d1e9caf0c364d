/// One TCP connection of a link, with what waits to leave by it.
final class Connection {
  /// Bytes read at once.
  static let readSize = 64 << 10

  let socket: Socket
  /// Whom it was dialled for; `nil` for the other's.
  let dialled: PeerID?
  /// The secret of the invitation to redeem on it.
  let invitation: [UInt8]?
  /// Until the system says whether it stands, and how long that may take, in monotonic nanoseconds; `nil` once it stands.
  var connectBy: UInt64?
  private var output: [UInt8] = []
  private var written = 0

  init(_ socket: consuming Socket, dialled: PeerID?, invitation: [UInt8]?, connectBy: UInt64?) {
    self.socket = socket
    self.dialled = dialled
    self.invitation = invitation
    self.connectBy = connectBy
  }

  var isConnecting: Bool { connectBy != nil }

  /// Whether `poll` should tell when more can be written.
  var wantsToWrite: Bool { isConnecting || written < output.count }

  /// Adds bytes after all others.
  func append(_ bytes: [UInt8]) { output += bytes }

  /// Writes as much as the system takes.
  ///
  /// - Returns: How many bytes; `nil` when the connection is broken.
  func flush() -> Int? {
    var count = 0
    while written < output.count {
      switch socket.write(output[written...]) {
      case .bytes(let more):
        written += more
        count += more
      case .later:
        compact()
        return count
      case .ended: return nil
      }
    }
    output.removeAll(keepingCapacity: output.count <= Self.readSize)
    written = 0
    return count
  }

  private func compact() {
    guard written > 1 << 20 else { return }
    output.removeFirst(written)
    written = 0
  }
}
