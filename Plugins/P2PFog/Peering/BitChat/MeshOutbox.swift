/// Own messages until their receipt or their end.
struct MeshOutbox: Sendable {
  /// One message under way.
  struct Message: Sendable {
    let id: [UInt8]
    let recipient: PeerID?
    let priority: UInt8
    let options: SendOptions
    /// Sealed for the recipient; plain in a broadcast, which is signed alone.
    let body: [UInt8]
    let createdAt: UInt64
    let endsAt: UInt64
    var attempt: UInt8 = 0
    /// When the last attempt began.
    var sentAt: UInt64 = 0
    /// Fragments that the recipient said it lacks; all before it has said anything.
    var lacking: [Int]
    /// Fragments of this attempt that are still to be sent.
    var queue: [Int] = []
    var isDirect = false
    var isMeshed = false
    /// Whether the recipient is away, and the message waits for it.
    var isWaiting = false

    var fragments: Int { max(1, (body.count + MeshPacket.bodyLimit - 1) / MeshPacket.bodyLimit) }

    func fragment(_ index: Int) -> [UInt8] {
      let start = index * MeshPacket.bodyLimit
      return Array(body[start..<min(body.count, start + MeshPacket.bodyLimit)])
    }
  }

  let limit: Int
  private var messages: [MessageKey: Message] = [:]

  init(limit: Int) { self.limit = limit }

  var count: Int { messages.count }

  subscript(key: MessageKey) -> Message? {
    get { messages[key] }
    set { messages[key] = newValue }
  }

  /// The messages to a peer that wait for it or that no session has carried, by priority and then by age.
  func waiting(for peer: PeerID) -> [Message] {
    messages.values.filter {
      $0.recipient == peer && ($0.isWaiting || !$0.isDirect && $0.queue.isEmpty)
    }
    .sorted { ($1.priority, $0.createdAt) < ($0.priority, $1.createdAt) }
  }

  /// The message that has to go to make room for one of `priority`; `nil` when none has less.
  func leastImportant(below priority: UInt8) -> Message? {
    messages.values.filter { $0.priority < priority }
      .min { ($0.priority, $0.createdAt) < ($1.priority, $1.createdAt) }
  }
}
