/// Everything a plugin's process is told before its code is loaded.
struct LoadOrder: Sendable, Equatable {
  /// The private copy of the library.
  var library = ""
  /// The plugin's own directory; empty while only its description is asked for.
  var directory = ""
  var generation: UInt32 = 0
  var grants = Grants()
  /// Bytes of private memory beyond what the process has at its start; 0: no limit.
  var memoryBytes: UInt64 = 0
  var limits = Limits()
  var logLevel = LogLevel.info

  var frame: [UInt8] {
    var frame = FrameBuilder(.load, room: 512)
    frame.add(library)
    frame.add(directory)
    frame.add(generation)
    frame.add(grants.network)
    frame.add(grants.spawn)
    for paths in [grants.readable, grants.writable] {
      frame.add(UInt32(paths.count))
      for path in paths { frame.add(path) }
    }
    frame.add(memoryBytes)
    for number in [
      limits.poolThreads, limits.poolQueue, limits.jobsPerPlugin, limits.messageBytes,
      limits.streamBytes,
    ] { frame.add(Int64(number)) }
    frame.add(UInt8(logLevel.rawValue))
    return frame.finished
  }

  /// Paths of one kind of grant.
  static let maxPaths = 64

  init() {}

  init(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    self = try frame.read { (reader) throws(LinkFrame.Fault) in
      var order = LoadOrder()
      order.library = try reader.text()
      order.directory = try reader.text()
      order.generation = try reader.number()
      order.grants.network = try reader.flag()
      order.grants.spawn = try reader.flag()
      let readable = try reader.count(most: Self.maxPaths)
      for _ in 0..<readable {
        try order.grants.readable.append(reader.text())
      }
      let writable = try reader.count(most: Self.maxPaths)
      for _ in 0..<writable {
        try order.grants.writable.append(reader.text())
      }
      order.memoryBytes = try reader.number()
      order.limits.poolThreads = try Int(reader.number(Int64.self))
      order.limits.poolQueue = try Int(reader.number(Int64.self))
      order.limits.jobsPerPlugin = try Int(reader.number(Int64.self))
      order.limits.messageBytes = try Int(reader.number(Int64.self))
      order.limits.streamBytes = try Int(reader.number(Int64.self))
      guard let level = try LogLevel(rawValue: Int(reader.number(UInt8.self))) else {
        throw .badValue
      }
      order.logLevel = level
      return order
    }
  }
}
