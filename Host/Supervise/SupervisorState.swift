import Wire

/// What a supervisor hands to the program that takes its place in the same process.
struct SupervisorState {
  /// The environment variable that carries it.
  static let variable = "GATEWAY_SUPERVISOR"
  /// To be raised with each change of what is below: a program that reads another version is not handed one.
  static let version = 1

  var listeners: [CInt]
  /// That of `UpgradeSocket`.
  var socket: CInt
  var current: ServingProcess
  var retiring: [ServingProcess]
  var leftOut: [String: String]
  var since: Int64
  var counts: CrashCounts

  init(
    listeners: [CInt],
    socket: CInt,
    current: ServingProcess,
    retiring: [ServingProcess],
    leftOut: [String: String],
    since: Int64,
    counts: CrashCounts
  ) {
    self.listeners = listeners
    self.socket = socket
    self.current = current
    self.retiring = retiring
    self.leftOut = leftOut
    self.since = since
    self.counts = counts
  }

  /// Reads what `text` wrote; `nil` comes of anything else.
  init?(_ text: String) {
    guard let json = try? JSON.parse(Array(text.utf8)),
      let listeners = json["listeners"]?.asArray?.compactMap(ServingOrder.number),
      !listeners.isEmpty, let socket = ServingOrder.number(json["socket"]),
      let current = json["current"].flatMap(Self.process),
      let retiring = json["retiring"]?.asArray?.compactMap(Self.process),
      let leftOut = json["left_out"]?.asMembers, let since = json["since"]?.asInteger,
      let counts = CrashCounts(json["counts"])
    else { return nil }
    self.init(
      listeners: listeners,
      socket: socket,
      current: current,
      retiring: retiring,
      leftOut: ServingOrder.texts(leftOut),
      since: since,
      counts: counts
    )
  }

  var text: String {
    let json: JSON = [
      "listeners": .array(listeners.map { .integer(Int64($0)) }),
      "socket": .integer(Int64(socket)),
      "current": Self.json(current),
      "retiring": .array(retiring.map(Self.json)),
      "left_out": .object(ServingOrder.members(leftOut)),
      "since": .integer(since),
      "counts": counts.json,
    ]
    return json.text
  }

  private static func process(_ json: JSON) -> ServingProcess? {
    guard let number = ServingOrder.number(json["pid"]), number > 0,
      let channel = ServingOrder.number(json["channel"]),
      let marks = ServingOrder.number(json["marks"]), let began = json["began"]?.asInteger
    else { return nil }
    var process = ServingProcess(number: number, channel: channel, marks: marks, began: began)
    process.isServing = true
    process.hasStopped = json["stopped"]?.asBool == true
    process.deadline = json["deadline"]?.asInteger
    process.failedPlugins = json["failed"]?.asArray?.compactMap(\.asString) ?? []
    return process
  }

  private static func json(_ process: ServingProcess) -> JSON {
    [
      "pid": .integer(Int64(process.number)), "channel": .integer(Int64(process.channel)),
      "marks": .integer(Int64(process.marks)), "began": .integer(process.began),
      "failed": .array(process.failedPlugins.map(JSON.string)),
      "stopped": .bool(process.hasStopped),
      "deadline": process.deadline.map(JSON.integer) ?? .null,
    ]
  }
}
