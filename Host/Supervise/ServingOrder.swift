import Wire

/// What a supervisor tells the process that it starts to serve.
package struct ServingOrder: Sendable, Equatable {
  /// The hidden verb of the gateway's command line that takes an order.
  package static let verb = "serve-child"

  /// The supervisor's process number.
  package var parent: CInt
  /// The serving process's end of the channel between the two.
  package var channel: CInt
  /// Memory for the marks of what runs.
  package var marks: CInt
  /// Sockets that listen.
  package var listeners: [CInt]
  /// Whether another process serves until this one does.
  package var takesOver: Bool
  /// Why plugins are not to be loaded, by their ids.
  package var leftOut: [String: String]
  /// As they are now; `ServingMessage.counted` tells later ones.
  package var counts: CrashCounts

  package init(
    parent: CInt,
    channel: CInt,
    marks: CInt,
    listeners: [CInt],
    takesOver: Bool,
    leftOut: [String: String],
    counts: CrashCounts
  ) {
    self.parent = parent
    self.channel = channel
    self.marks = marks
    self.listeners = listeners
    self.takesOver = takesOver
    self.leftOut = leftOut
    self.counts = counts
  }

  /// Reads the verb's argument.
  ///
  /// - Parameter text: As `text` wrote it; `nil` comes of anything else.
  package init?(_ text: String) {
    guard let json = try? JSON.parse(Array(text.utf8)),
      let parent = Self.number(json["parent"]), let channel = Self.number(json["channel"]),
      let marks = Self.number(json["marks"]), let takesOver = json["takes_over"]?.asBool,
      let listeners = json["listeners"]?.asArray?.compactMap(Self.number), !listeners.isEmpty,
      let leftOut = json["left_out"]?.asMembers, let counts = CrashCounts(json["counts"])
    else { return nil }
    self.init(
      parent: parent,
      channel: channel,
      marks: marks,
      listeners: listeners,
      takesOver: takesOver,
      leftOut: Self.texts(leftOut),
      counts: counts
    )
  }

  /// The verb's argument.
  package var text: String {
    let json: JSON = [
      "parent": .integer(Int64(parent)), "channel": .integer(Int64(channel)),
      "marks": .integer(Int64(marks)), "takes_over": .bool(takesOver),
      "listeners": .array(listeners.map { .integer(Int64($0)) }),
      "left_out": .object(Self.members(leftOut)), "counts": counts.json,
    ]
    return json.text
  }

  static func number(_ json: JSON?) -> CInt? {
    json?.asInteger.flatMap { CInt(exactly: $0) }.flatMap { $0 >= 0 ? $0 : nil }
  }

  static func members(_ texts: [String: String]) -> [JSON.Member] {
    texts.sorted { $0.key < $1.key }.map { JSON.Member(name: $0.key, value: .string($0.value)) }
  }

  static func texts(_ members: [JSON.Member]) -> [String: String] {
    var texts: [String: String] = [:]
    for member in members { texts[member.name] = member.value.asString }
    return texts
  }
}
