/// What is believed of a member (SWIM, Das, Gupta and Motivala 2002, section 4.2).
package enum MemberState: UInt8, Sendable, CaseIterable {
  case alive = 1
  /// It did not answer, and has time to say otherwise.
  case suspect
  case dead
  /// It said that it goes.
  case left

  /// As interfaces name it.
  package var name: String {
    switch self {
    case .alive: "alive"
    case .suspect: "suspect"
    case .dead: "dead"
    case .left: "left"
    }
  }
}
