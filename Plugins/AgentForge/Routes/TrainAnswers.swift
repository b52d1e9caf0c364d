import GatewayPlugin
import PluginStorage
import StorageAnswers

/// Where the routes of runs get their runs from, and what clients are told when they do not.
struct TrainAnswers {
  let queue: RunQueue
  /// The plugin's directory, on whose disk room must stay.
  let directory: String
  let minFreeBytes: Int

  var answers: RunAnswers { RunAnswers(store: queue.store) }

  /// Adds runs, if there is room for what they make.
  ///
  /// - Parameter runs: Of one owner.
  /// - Throws: `Failure` 507 and 429, `StorageError`.
  func add(_ runs: [RunRecord]) throws {
    try checkRoom()
    try refuse(try answering { () throws(StorageError) in try queue.add(runs) })
  }

  /// Throws 507 when less is free than must stay free.
  func checkRoom() throws {
    guard try Folder.space(directory).free >= minFreeBytes else { throw answering.noSpace }
  }

  /// Throws what `admission` means to a client, unless it is one.
  func refuse(_ admission: RunStore.Admission) throws(Failure) {
    switch admission {
    case .accepted: return
    case .ownerIsFull(let waiting):
      throw .tooManyRequests(
        """
        You have \(waiting) runs that wait, of \(queue.limits.waiting.queuedPerUser) at most; cancel \
        one or let one end.
        """,
        retryAfter: .seconds(60)
      )
    case .isFull(let waiting):
      throw .tooManyRequests(
        "\(waiting) runs wait already, and no more are taken; try again later.",
        retryAfter: .seconds(60)
      )
    }
  }

  /// The run of the path, if the caller may see it.
  func run(_ request: borrowing Request) throws -> RunRecord {
    let id = request.parameter("task_id")
    let owner = Self.owner(request.caller)
    let run = try answering { () throws(StorageError) in
      try queue.store.run(id, owner: owner)
    }
    guard let run else { throw Self.noRun(id) }
    return run
  }

  /// Whose runs a caller sees; `nil` is everyone's, which takes the scope `admin` itself.
  static func owner(_ caller: Caller) -> String? {
    caller.scopes.contains(.admin) ? nil : caller.subject
  }

  static func noRun(_ id: String) -> Failure {
    .notFound("There is no run \(id.prefix(utf8: 64)) among yours.")
  }
}
