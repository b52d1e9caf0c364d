import Synchronization

/// A health check that a plugin declared.
struct DeclaredCheck: Sendable {
  /// Where the check's answers go; changes each time its plugin begins to serve.
  final class Place: Sendable {
    private let id = Mutex<HealthBoard.CheckID?>(nil)

    var current: HealthBoard.CheckID? {
      get { id.withLock { $0 } }
      set { id.withLock { $0 = newValue } }
    }
  }

  let name: String
  let timeout: Duration
  let place: Place
  let work: PeriodicWork

  /// Begins: the first round comes at once.
  ///
  /// - Parameters:
  ///   - board: Shows the answers.
  ///   - service: Runs there.
  func start(on board: HealthBoard, service: String) {
    place.current = board.addCheck(name, to: service, timeout: timeout)
    work.start(delay: .zero)
  }

  /// Begins no further round; an answer that is still to come is shown nowhere.
  func stop() {
    place.current = nil
    work.stop()
  }
}
