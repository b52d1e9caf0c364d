import GatewayPlugin
import PluginStorage

/// What is new of a run, on its way to the disk and to its owner.
///
/// Points come by the thousand a second; they reach the disk once a second and the owner at most ten times, and the
/// last one always reaches both.
struct RunProgress {
  /// Between two writes.
  static let writeNanoseconds: UInt64 = 1_000_000_000
  /// Between two events: nine a second, and the last point may come at any time.
  static let eventNanoseconds: UInt64 = 112_000_000
  /// Event numbers that a write lays by: more than are used up to the next one.
  ///
  /// After a crash they are passed over.
  static let numbersAhead = 100
  /// Points and lines held between two writes.
  static let maxHeld = 500

  private let run: RunRecord
  private let store: RunStore
  private let around: RunSurroundings
  private let began: UInt64
  private let time: ProcessorTime
  /// Nanoseconds of it that are on the disk.
  private var storedTime: UInt64 = 0
  /// Bytes.
  var memoryPeak = 0
  private var first: ProgressPoint?
  private var last: ProgressPoint?
  private var points: [ProgressPoint] = []
  private var lines: [(at: Int64, text: String)] = []
  /// Of so many points one is kept; grows as the curve is thinned.
  private var stride = 1
  private var seen = 0
  private var events: Int
  private var isFirstWrite = true
  private var isToldLast = true
  /// Of the last point on the disk.
  private var storedStep: Int?
  private var lastEvent: UInt64 = 0
  private var lastWrite: UInt64?

  /// Whether the run was ended by someone else, as the last write found.
  private(set) var isOver = false

  /// Of an attempt at `run`, on the thread whose `time` it is.
  init(
    _ run: RunRecord,
    _ store: RunStore,
    _ around: RunSurroundings,
    _ time: ProcessorTime
  ) {
    self.time = time
    self.run = run
    self.store = store
    self.around = around
    events = run.events
    began = around.now()
  }

  mutating func add(_ point: ProgressPoint) {
    let now = around.now()
    let point = point.withoutNonsense
    measure(point)
    if first == nil { first = point }
    last = point
    isToldLast = false
    seen += 1
    if seen % stride == 0 || point.validationLoss != nil || seen == 1 { points.append(point) }
    if points.count > Self.maxHeld { thinHeld() }
    // First the write, which lays numbers by for events.
    if now >= (lastWrite ?? 0) + Self.writeNanoseconds { write(now) }
    if lastEvent == 0 || now >= lastEvent + Self.eventNanoseconds { tell(point, now) }
  }

  mutating func log(_ line: String) {
    lines.append((store.now(), line.prefix(utf8: RunStore.maxLineBytes)))
    if lines.count > Self.maxHeld { write(around.now()) }
    // Still too many when the disk is full: then the oldest go.
    if lines.count > Self.maxHeld { lines.removeFirst(lines.count - Self.maxHeld) }
  }

  mutating func flush() throws(StorageError) {
    let now = around.now()
    if let last, !isToldLast { tell(last, now) }
    if let last, (points.last?.step ?? storedStep) != last.step { points.append(last) }
    try writeOrThrow(now, isLast: true)
  }

  mutating func nextEvent() -> Int {
    events += 1
    return events
  }

  private mutating func thinHeld() {
    points = points.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    stride *= 2
  }

  private func measure(_ point: ProgressPoint) {
    let before = last?.step ?? (run.attempts > 1 ? point.step : 0)
    around.measure(.steps(max(0, point.step - before)))
    if point.tokensPerSecond > 0 { around.measure(.rate(point.tokensPerSecond, run.phase)) }
    if let loss = point.loss { around.measure(.loss(loss, run.phase)) }
  }

  private mutating func tell(_ point: ProgressPoint, _ now: UInt64) {
    lastEvent = now
    isToldLast = true
    let share = point.steps > 0 ? Double(point.step) / Double(point.steps) : 0
    around.publish(
      "training_progress",
      [
        "task_id": .string(run.id), "phase": .string(run.phase.rawValue),
        "progress": .number(min(1, max(0, share))), "step": .integer(Int64(point.step)),
        "total_steps": .integer(Int64(point.steps)), "loss": .optional(point.loss),
        "validation_loss": .optional(point.validationLoss),
        "tokens_per_second": .number(point.tokensPerSecond),
        "number": .integer(Int64(nextEvent())),
      ],
      run.owner
    )
  }

  /// What cannot be written now is tried again in a second; the end of the run insists.
  private mutating func write(_ now: UInt64) {
    do { try writeOrThrow(now) } catch {
      lastWrite = now
      around.warn("The progress of a run could not be stored.", "\(error)")
    }
  }

  private mutating func writeOrThrow(
    _ now: UInt64,
    isLast: Bool = false
  ) throws(StorageError) {
    lastWrite = now
    let spent = time.nanoseconds
    let result = try store.record(
      run.id,
      RunStore.Progress(
        last: last,
        etaSeconds: remaining(now),
        events: events + (isLast ? 0 : Self.numbersAhead),
        processorTime: spent - storedTime,
        memoryPeak: memoryPeak,
        points: points,
        lines: lines
      ),
      isFirst: isFirstWrite
    )
    isOver = !result.goesOn
    storedTime = spent
    if let step = points.last?.step {
      isFirstWrite = false
      storedStep = step
    }
    if result.isThinned { stride *= 2 }
    points = []
    lines = []
  }

  /// Seconds to the last step at the pace of this attempt so far.
  private func remaining(_ now: UInt64) -> Double? {
    guard let first, let last, last.step > first.step else { return nil }
    let seconds = Double(now - began) / 1e9
    return seconds / Double(last.step - first.step + 1) * Double(max(0, last.steps - last.step))
  }
}

extension ProgressPoint {
  /// With 0 where a rate is no number.
  fileprivate var withoutNonsense: ProgressPoint {
    var point = self
    if !tokensPerSecond.isFinite { point.tokensPerSecond = 0 }
    return point
  }
}

extension JSON {
  /// A number, or `null` for `nil` and for what is none.
  static func optional(_ number: Double?) -> JSON {
    guard let number, number.isFinite else { return .null }
    return .number(number)
  }
}

extension String {
  /// As many whole characters from the start as fit `utf8` bytes.
  func prefix(utf8 count: Int) -> String {
    guard self.utf8.count > count else { return self }
    var end = self.utf8.index(startIndex, offsetBy: count)
    while end > startIndex, end.samePosition(in: unicodeScalars) == nil {
      end = self.utf8.index(before: end)
    }
    return String(self[..<end])
  }
}
