package import GatewayPlugin

/// Moves the difficulty of tasks so that the share of right answers stays in a band: neither dull nor hopeless.
///
/// The share is that of the last `window` answers. Outside the band the difficulty is pushed, with momentum; a
/// difficulty between two levels gives tasks of either, in proportion. Below the easiest level is one more, of the few
/// tasks that are practised again and again: who can do nothing yet begins with what can be learnt by heart.
package struct EdgeOfChaos: Sendable, Equatable {
  /// The levels there are.
  package static let levels = 1...10
  /// The level of tasks that are practised.
  package static let practice = 0

  /// How it moves.
  package struct Settings: Sendable, Equatable {
    /// The share of right answers that is wanted.
    package var low = 0.55
    package var high = 0.75
    /// Answers that the share is taken of.
    package var window = 64
    /// How much of the last push lasts.
    package var momentum = 0.5
    /// Levels that a share outside the band by 1 would push in one move.
    package var pace = 1.0

    package init() {}
  }

  private let settings: Settings
  /// The difficulty, 0...10.
  package private(set) var value = Double(levels.lowerBound)
  private var velocity = 0.0
  private var outcomes: [Bool] = []
  /// Moves that had a full window, and those whose share lay in the band.
  package private(set) var windows = 0
  package private(set) var windowsInside = 0
  /// Windows before the first that lay in the band.
  package private(set) var windowsBefore = 0

  /// Begins at the easiest level.
  package init(_ settings: Settings) { self.settings = settings }

  /// The share of right answers; `nil` until the window is full.
  package var success: Double? {
    guard outcomes.count == settings.window else { return nil }
    return Double(outcomes.count { $0 }) / Double(outcomes.count)
  }

  /// Counts an answer.
  package mutating func record(isCorrect: Bool) {
    outcomes.append(isCorrect)
    if outcomes.count > settings.window { outcomes.removeFirst() }
  }

  /// Moves once; does nothing until the window is full.
  package mutating func move() {
    guard let success else { return }
    windows += 1
    if (settings.low...settings.high).contains(success) { windowsInside += 1 }
    if windowsInside == 0 { windowsBefore += 1 }
    let outside =
      success > settings.high
      ? success - settings.high : success < settings.low ? success - settings.low : 0
    velocity =
      settings.momentum * velocity + (1 - settings.momentum) * settings.pace * outside
    let range = Double(Self.practice)...Double(Self.levels.upperBound)
    let next = value + velocity
    value = min(max(next, range.lowerBound), range.upperBound)
    // At an end of the range nothing is stored up for the way back.
    if value != next { velocity = 0 }
  }

  /// The level of a new task: one of the two beside the difficulty.
  ///
  /// - Parameter generator: Drawn from once.
  /// - Returns: 0...10.
  package func level(_ generator: inout Generator) -> Int {
    let below = value.rounded(.down)
    let isHarder = generator.uniform() < value - below
    return min(Int(below) + (isHarder ? 1 : 0), Self.levels.upperBound)
  }

  /// What a checkpoint keeps.
  package var state: JSON {
    [
      "value": .number(value), "velocity": .number(velocity),
      "outcomes": .array(outcomes.map(JSON.bool)), "windows": .integer(Int64(windows)),
      "windows_inside": .integer(Int64(windowsInside)),
      "windows_before": .integer(Int64(windowsBefore)),
    ]
  }

  /// Goes on from a state.
  ///
  /// - Parameter state: As `state` gave it.
  /// - Throws: `RunFailure` when it is none.
  package mutating func restore(_ state: JSON?) throws(RunFailure) {
    guard let value = state?["value"]?.asNumber, let velocity = state?["velocity"]?.asNumber,
      let outcomes = state?["outcomes"]?.asArray?.compactMap(\.asBool),
      let windows = state?["windows"]?.asInteger, let inside = state?["windows_inside"]?.asInteger,
      let before = state?["windows_before"]?.asInteger, (0...10).contains(value),
      outcomes.count <= settings.window
    else { throw RunFailure("The checkpoint does not say the difficulty; start the run anew.") }
    self.value = value
    self.velocity = velocity
    self.outcomes = outcomes
    self.windows = Int(windows)
    windowsInside = Int(inside)
    windowsBefore = Int(before)
  }
}
