import CGatewayPlugin

/// What comes over the link to a plugin's process, for whichever of its threads waits for it.
///
/// One of those who wait reads and keeps what is for the others; once it has its own, another goes on. Whoever reads is
/// thus never in the plugin's code. Were it the loop alone, an inline handler that waits for a lock would keep an answer
/// from the thread that holds this lock until the answer comes. A thread that does nothing but read would change
/// threads once more for each request.
///
/// What is for the loop keeps its order; answers overtake it, as they do in the gateway, where nobody waits for them.
/// Only while some thread waits for an answer is anything read ahead. No more than the gateway admits can come so:
/// requests under way, and calls and events, of which it counts how many are behind.
final class GuestInbox: Sendable {
  /// What the gateway says to a question.
  struct Answer: Sendable {
    var status: gw_status
    var value: UInt64
    var sentence: String
  }

  /// What came for the loop since it last looked.
  struct Mail: Sendable {
    /// Whether the gateway asked for a sign of life; one is enough, however often it asked.
    var isPinged = false
    /// The rest, in the order of the link.
    var frames: [LinkFrame] = []
  }

  private enum Turn<Found> {
    /// - Parameter isUnread: Whether nobody reads now.
    case has(Found, isUnread: Bool)
    case reads
    case ended
  }

  private struct State {
    var mail = Mail()
    var answers: [UInt32: Answer] = [:]
    var isRead = false
    var hasEnded = false

    mutating func keep(_ frame: LinkFrame?) {
      guard let frame else { return hasEnded = true }
      switch frame.kind {
      case .ping: mail.isPinged = true
      case .answer: do { try keep(answer: frame) } catch { hasEnded = true }
      default: mail.frames.append(frame)
      }
    }

    private mutating func keep(answer frame: LinkFrame) throws(LinkFrame.Fault) {
      let (number, answer) = try frame.read { (reader) throws(LinkFrame.Fault) in
        try (
          reader.number(UInt32.self),
          Answer(status: reader.number(), value: reader.number(), sentence: reader.text())
        )
      }
      answers[number] = answer
    }

    /// `nil` when there is nothing to do but wait for who reads.
    mutating func turn<Found>(_ find: (inout State) -> Found?) -> Turn<Found>? {
      if let found = find(&self) { return .has(found, isUnread: !isRead) }
      if hasEnded { return .ended }
      if isRead { return nil }
      isRead = true
      return .reads
    }
  }

  private let link: ProcessLink
  private let state = Monitor(State())

  /// - Parameter link: To the gateway; only this reads it from now on.
  init(_ link: ProcessLink) { self.link = link }

  /// Waits until there is something for the loop; on its thread, outside the plugin's code.
  ///
  /// - Returns: `nil` once the gateway is gone or has broken the protocol.
  func mail() -> Mail? {
    wait { state in
      guard state.mail.isPinged || !state.mail.frames.isEmpty else { return nil }
      defer { state.mail = Mail() }
      return state.mail
    }
  }

  /// Waits for the answer to a question; on any thread.
  ///
  /// - Parameters:
  ///   - number: The question's; one thread waits for it.
  ///   - pinged: On the loop's thread: gives the gateway the sign of life that it asks for meanwhile. Elsewhere `nil`:
  ///     such a thread can say nothing of the loop.
  /// - Returns: `nil` once the gateway is gone or has broken the protocol.
  func answer(to number: UInt32, pinged: (() -> Void)?) -> Answer? {
    while true {
      let found: Answer?? = wait { state in
        if let answer = state.answers.removeValue(forKey: number) { return .some(answer) }
        guard pinged != nil, state.mail.isPinged else { return nil }
        state.mail.isPinged = false
        return .some(nil)
      }
      guard let found else { return nil }
      if let found { return found }
      pinged?()
    }
  }

  /// Waits until `find` gives something, and reads while nobody else does.
  private func wait<Found>(_ find: (inout State) -> Found?) -> Found? {
    var turn = state.wait { $0.turn(find) }
    while case .reads = turn {
      let frame = link.next()
      turn = state.withLock { state in
        state.keep(frame)
        state.isRead = false
        return state.turn(find)
      }
      // It was another's.
      if case .reads = turn { state.wakeAll() }
    }
    guard case .has(let found, let isUnread) = turn else {
      state.wakeAll()
      return nil
    }
    if isUnread { state.wakeOne() }
    return found
  }
}
