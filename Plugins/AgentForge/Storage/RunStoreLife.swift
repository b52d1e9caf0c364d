package import GatewayPlugin
package import PluginStorage

/// The steps of a run's life.
extension RunStore {
  /// A run begins, or goes on: one more attempt is counted.
  ///
  /// - Parameter id: The run.
  /// - Returns: It; `nil` when it is over, waits for another, or is gone.
  /// - Throws: `StorageError`.
  package func begin(_ id: String) throws(StorageError) -> RunRecord? {
    try database.write { (connection) throws(StorageError) in
      let begun = try connection.run(
        """
        UPDATE runs SET status = 'running', attempts = attempts + 1,
          futile_attempts = futile_attempts + 1, started_at = coalesce(started_at, ?2)
        WHERE id = ?1 AND status IN ('queued', 'running')
        """,
        [.text(id), .integer(now())]
      )
      return begun > 0 ? try Self.find(id, owner: nil, &connection) : nil
    }
  }

  /// A run got further, or was asked to end and will go on: its attempts so far were not in vain.
  package func gotFurther(_ id: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run("UPDATE runs SET futile_attempts = 0 WHERE id = ?", [.text(id)])
    }
  }

  /// The event of that number was the last of an attempt that was cancelled.
  package func told(_ id: String, event number: Int) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        "UPDATE runs SET events = ?2 WHERE id = ?1",
        [.text(id), .count(number)]
      )
    }
  }

  /// A run could not be given a thread; it goes back to its place in the queue.
  package func requeue(_ id: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        """
        UPDATE runs SET status = 'queued', attempts = attempts - 1,
          futile_attempts = max(0, futile_attempts - 1)
        WHERE id = ? AND status = 'running'
        """,
        [.text(id)]
      )
    }
  }

  /// What the plan of a run says, before its first step.
  package func planned(_ id: String, steps: Int, memoryBytes: Int) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        "UPDATE runs SET steps = ?2, memory_estimated = ?3 WHERE id = ?1",
        [.text(id), .count(steps), .count(memoryBytes)]
      )
    }
  }

  /// Adds a model that a run has made; once is enough.
  package func made(_ id: String, model: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        """
        INSERT INTO run_models (run, number, model)
        SELECT ?1, (SELECT count(*) FROM run_models WHERE run = ?1), ?2
        WHERE EXISTS (SELECT 1 FROM runs WHERE id = ?1)
          AND NOT EXISTS (SELECT 1 FROM run_models WHERE run = ?1 AND model = ?2)
        """,
        [.text(id), .text(model)]
      )
    }
  }

  /// A run is completed; the next of its pipeline gets its models and is queued.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - report: What was measured.
  ///   - inputs: How many models a phase takes.
  /// - Returns: Whether it was running until now.
  /// - Throws: `StorageError`.
  package func complete(
    _ id: String,
    report: JSON,
    inputs: (PhaseName) -> ClosedRange<Int>
  ) throws(StorageError) -> Bool {
    try database.write { (connection) throws(StorageError) in
      let ended = try connection.run(
        """
        UPDATE runs SET status = 'completed', report = ?2, error = NULL, eta_seconds = 0,
          finished_at = ?3
        WHERE id = ?1 AND status = 'running'
        """,
        [.text(id), .text(report.text), .integer(now())]
      )
      guard ended > 0, let run = try Self.find(id, owner: nil, &connection) else { return false }
      try advance(run, inputs, &connection)
      return true
    }
  }

  private func advance(
    _ run: RunRecord,
    _ inputs: (PhaseName) -> ClosedRange<Int>,
    _ connection: inout Connection
  ) throws(StorageError) {
    guard let pipeline = run.pipeline else { return }
    let following =
      try connection.rows(
        "SELECT \(RunRecord.columns) FROM runs WHERE pipeline = ? AND place = ? AND status = 'waiting'",
        [.text(pipeline), .count(run.place + 1)],
        RunRecord.init
      ).first ?? nil
    guard let following else { return }
    let models = try Self.models(run.id, &connection)
    let range = inputs(following.phase)
    guard models.count >= range.lowerBound else {
      let sentence = """
        \(following.phase.rawValue) needs \(range.lowerBound) models, and \(run.phase.rawValue) \
        made \(models.count).
        """
      try close(following.id, .failed, sentence, &connection)
      try closeFollowing(following, "The run before it failed.", &connection)
      return
    }
    try connection.run(
      "UPDATE runs SET status = 'queued', models = ?2 WHERE id = ?1",
      [.text(following.id), RunRecord.array(Array(models.prefix(range.upperBound)))]
    )
  }

  /// A run is over without being completed, of which one event tells; the rest of its pipeline is cancelled.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - status: `failed` or `cancelled`.
  ///   - sentence: Why.
  ///   - owner: Whose it must be; `nil` for anyone's.
  /// - Returns: The run as it was until now; `nil` when it was over already, or is not there.
  /// - Throws: `StorageError`.
  package func end(
    _ id: String,
    _ status: RunRecord.Status,
    _ sentence: String,
    owner: String? = nil
  ) throws(StorageError) -> RunRecord? {
    precondition(status == .failed || status == .cancelled, "\(status) is not such an end")
    return try database.write { (connection) throws(StorageError) in
      guard let run = try Self.find(id, owner: nil, &connection), !run.status.isOver,
        owner == nil || run.owner == owner
      else { return nil }
      try close(id, status, sentence, &connection)
      let word = status == .failed ? "failed" : "was cancelled"
      try closeFollowing(run, "The run of \(run.phase.rawValue) before it \(word).", &connection)
      return run
    }
  }

  private func close(
    _ id: String,
    _ status: RunRecord.Status,
    _ sentence: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run(
      """
      UPDATE runs SET status = ?2, error = ?3, eta_seconds = NULL, finished_at = ?4,
        events = events + 1
      WHERE id = ?1
      """,
      [.text(id), .text(status.rawValue), .text(sentence), .integer(now())]
    )
  }

  private func closeFollowing(
    _ run: RunRecord,
    _ sentence: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    guard let pipeline = run.pipeline else { return }
    try connection.run(
      """
      UPDATE runs SET status = 'cancelled', error = ?3, finished_at = ?4
      WHERE pipeline = ?1 AND place > ?2 AND status = 'waiting'
      """,
      [.text(pipeline), .count(run.place), .text(sentence), .integer(now())]
    )
  }

  /// What became of a wish to go on with a run.
  package enum Resumption: Sendable, Equatable {
    case queued
    /// There is no such run of this owner.
    case unknown
    /// It is not over, or it is completed.
    case isNot(RunRecord.Status)
    /// The run before it in its pipeline is not completed.
    case needsPredecessor
    /// The limits leave no place.
    case refused(Admission)
  }

  /// Queues a failed or cancelled run again; what waited for it in its pipeline waits again.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - owner: Whose it must be; `nil` for anyone's.
  ///   - limits: Are held at this moment.
  /// - Returns: What became of it.
  /// - Throws: `StorageError`.
  package func resume(
    _ id: String,
    owner: String?,
    _ limits: Limits
  ) throws(StorageError) -> Resumption {
    try database.write { (connection) throws(StorageError) in
      guard let run = try Self.find(id, owner: nil, &connection), owner == nil || run.owner == owner
      else {
        return .unknown
      }
      guard run.status == .failed || run.status == .cancelled else { return .isNot(run.status) }
      if let pipeline = run.pipeline, run.place > 0 {
        let before = try connection.first(
          "SELECT status FROM runs WHERE pipeline = ? AND place = ?",
          [.text(pipeline), .count(run.place - 1)]
        ) { $0.text(0) }
        guard before == RunRecord.Status.completed.rawValue else { return .needsPredecessor }
      }
      if let full = try refusal(of: 1, owner: run.owner, limits, &connection) {
        return .refused(full)
      }
      try connection.run(
        """
        UPDATE runs SET status = 'queued', error = NULL, finished_at = NULL, futile_attempts = 0
        WHERE id = ?
        """,
        [.text(id)]
      )
      if let pipeline = run.pipeline {
        try connection.run(
          """
          UPDATE runs SET status = 'waiting', error = NULL, finished_at = NULL
          WHERE pipeline = ? AND place > ? AND status = 'cancelled' AND attempts = 0
          """,
          [.text(pipeline), .count(run.place)]
        )
      }
      return .queued
    }
  }
}
