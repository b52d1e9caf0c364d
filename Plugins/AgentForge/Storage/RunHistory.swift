import GatewayPlugin
package import PluginStorage

/// What runs leave behind while they go on: points and lines.
extension RunStore {
  /// Points kept of one run.
  package static let maxPoints = 2000
  /// Lines kept of one run; older ones are dropped.
  package static let maxLines = 2000
  /// Bytes of a line; the rest is cut.
  package static let maxLineBytes = 1000

  /// A line of a run's log.
  package struct Line: Sendable, Equatable {
    package var sequence: Int
    /// Nanoseconds since 1970.
    package var at: Int64
    package var text: String
  }

  /// Where a run stands, and what is new of its history.
  package struct Progress: Sendable {
    package var last: ProgressPoint?
    package var etaSeconds: Double?
    /// Numbers of events that are used or laid by.
    package var events: Int
    /// Nanoseconds of all threads since the last time.
    package var processorTime: UInt64 = 0
    /// The most bytes at once so far, in this attempt.
    package var memoryPeak = 0
    package var points: [ProgressPoint] = []
    package var lines: [(at: Int64, text: String)] = []
  }

  /// Stores progress of a run.
  ///
  /// - Parameters:
  ///   - id: The run.
  ///   - progress: What is new.
  ///   - isFirst: The first of an attempt: points at or behind its first step were not reached by the checkpoint and go.
  /// - Returns: Whether the run is still to go on; nothing is stored when not. `isThinned` says that every second point
  ///   was dropped.
  /// - Throws: `StorageError`.
  package func record(
    _ id: String,
    _ progress: Progress,
    isFirst: Bool
  ) throws(StorageError) -> (goesOn: Bool, isThinned: Bool) {
    try database.write { (connection) throws(StorageError) in
      guard try show(id, progress, &connection) else { return (false, false) }
      if isFirst, let step = progress.points.first?.step {
        try connection.run(
          "DELETE FROM run_curve WHERE run = ? AND step >= ?",
          [.text(id), .count(step)]
        )
      }
      for point in progress.points {
        try connection.run(
          """
          INSERT INTO run_curve
            (run, step, loss, validation_loss, learning_rate, tokens_per_second, details)
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """,
          [
            .text(id), .count(point.step), .optional(point.loss), .optional(point.validationLoss),
            .optional(point.learningRate), .real(point.tokensPerSecond), .text(point.details.text),
          ]
        )
      }
      try add(progress.lines, id, &connection)
      return (true, try thin(id, &connection))
    }
  }

  private func show(
    _ id: String,
    _ progress: Progress,
    _ connection: inout Connection
  ) throws(StorageError) -> Bool {
    guard let last = progress.last else {
      return try connection.run(
        """
        UPDATE runs SET events = ?2, processor_time = processor_time + ?3,
          memory_peak = max(memory_peak, ?4)
        WHERE id = ?1 AND status = 'running'
        """,
        [
          .text(id), .count(progress.events), .count(Int(progress.processorTime)),
          .count(progress.memoryPeak),
        ]
      ) > 0
    }
    return try connection.run(
      """
      UPDATE runs SET step = ?2, steps = ?3, loss = coalesce(?4, loss),
        validation_loss = coalesce(?5, validation_loss),
        learning_rate = coalesce(?6, learning_rate), tokens_per_second = ?7, eta_seconds = ?8,
        events = ?9, processor_time = processor_time + ?10, memory_peak = max(memory_peak, ?11)
      WHERE id = ?1 AND status = 'running'
      """,
      [
        .text(id), .count(last.step), .count(last.steps), .optional(last.loss),
        .optional(last.validationLoss), .optional(last.learningRate), .real(last.tokensPerSecond),
        .optional(progress.etaSeconds), .count(progress.events),
        .count(Int(progress.processorTime)), .count(progress.memoryPeak),
      ]
    ) > 0
  }

  private func add(
    _ lines: [(at: Int64, text: String)],
    _ id: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    guard !lines.isEmpty else { return }
    for line in lines.suffix(Self.maxLines) {
      try connection.run(
        """
        INSERT INTO run_log (run, sequence, at, line)
        SELECT ?1, coalesce((SELECT max(sequence) FROM run_log WHERE run = ?1), 0) + 1, ?2, ?3
        """,
        [.text(id), .integer(line.at), .text(line.text)]
      )
    }
    try connection.run(
      """
      DELETE FROM run_log WHERE run = ?1
        AND sequence <= (SELECT max(sequence) FROM run_log WHERE run = ?1) - ?2
      """,
      [.text(id), .count(Self.maxLines)]
    )
  }

  private func thin(
    _ id: String,
    _ connection: inout Connection
  ) throws(StorageError) -> Bool {
    let count = try connection.first(
      "SELECT count(*) FROM run_curve WHERE run = ?",
      [.text(id)]
    ) { $0.count(0) }
    guard let count, count > Self.maxPoints else { return false }
    try connection.run(
      """
      DELETE FROM run_curve WHERE number IN (
        SELECT number FROM (
          SELECT number, row_number() OVER (ORDER BY step, number) AS rank
          FROM run_curve WHERE run = ?1
        ) WHERE rank % 2 = 0
      ) AND step < (SELECT max(step) FROM run_curve WHERE run = ?1)
      """,
      [.text(id)]
    )
    return true
  }

  /// The points of a run by step.
  ///
  /// - Parameter id: The run.
  /// - Returns: At most `maxPoints`; `steps` of each is 0, the run has it.
  /// - Throws: `StorageError`.
  package func curve(_ id: String) throws(StorageError) -> [ProgressPoint] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT step, loss, validation_loss, learning_rate, tokens_per_second, details
        FROM run_curve WHERE run = ? ORDER BY step, number
        """,
        [.text(id)]
      ) {
        ProgressPoint(
          step: $0.count(0),
          steps: 0,
          loss: $0.optionalReal(1),
          validationLoss: $0.optionalReal(2),
          tokensPerSecond: $0.real(4),
          learningRate: $0.optionalReal(3),
          details: RunRecord.stored($0.text(5))
        )
      }
    }
  }

  /// Lines of a run after one, the oldest first.
  package func lines(_ id: String, after sequence: Int, limit: Int) throws(StorageError) -> [Line] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows(
        """
        SELECT sequence, at, line FROM run_log WHERE run = ? AND sequence > ?
        ORDER BY sequence LIMIT ?
        """,
        [.text(id), .count(sequence), .count(limit)]
      ) { Line(sequence: $0.count(0), at: $0.integer(1), text: $0.text(2)) }
    }
  }

  /// A page of a run's log, the oldest line first, and how many lines there are.
  package func lines(
    _ id: String,
    limit: Int,
    offset: Int
  ) throws(StorageError) -> (lines: [Line], total: Int) {
    try database.read { (connection) throws(StorageError) in
      try connection.page(
        "sequence, at, line",
        from: "run_log WHERE run = ?",
        [.text(id)],
        orderedBy: "sequence",
        limit: limit,
        offset: offset
      ) { Line(sequence: $0.count(0), at: $0.integer(1), text: $0.text(2)) }
    }
  }
}
