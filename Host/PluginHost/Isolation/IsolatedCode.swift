import CGatewayPlugin
import Synchronization

/// A plugin's code in a process of its own, spoken to over a link.
///
/// To everything above it is like any other: its descriptor is a table of functions that pass on what they are called
/// with. What the plugin declares is declared here in its stead.
// Sendable although it holds pointers: they are constant, and point at memory that lives as long as this.
@safe
final class IsolatedCode: PluginCode, @unchecked Sendable {
  struct Refusal: Error, CustomStringConvertible {
    let description: String
  }

  let id: String
  let version: String
  let summary: String
  let descriptor: UnsafePointer<gw_plugin_v1>
  let plugin: IsolatedPlugin
  var digest: String { copy.digest }
  /// Nothing of it is mapped here.
  var tie: String? { nil }
  private let copy: GenerationStage.Copy
  private let stage: GenerationStage
  private let texts: [UnsafeMutableBufferPointer<UInt8>]

  /// How long a library may take to be loaded in its process.
  static let loadLimit = Duration.seconds(10)

  /// Asks a process of its own what the library is; that process is gone when this returns.
  ///
  /// - Parameters:
  ///   - file: Names grants and limits.
  ///   - copy: The private copy of the library; removed if this fails, and by `close`.
  ///   - stage: Where it is.
  ///   - host: For the limits and the log.
  ///   - executable: The gateway's own binary.
  /// - Throws: `Refusal`, a sentence; nothing is left behind.
  init(
    _ file: PluginFile,
    copy: GenerationStage.Copy,
    stage: GenerationStage,
    host: HostResources,
    executable: String = "/proc/self/exe"
  ) throws(Refusal) {
    var order = LoadOrder()
    order.library = copy.path
    order.grants = file.grants
    order.memoryBytes = file.memoryBytes
    order.limits = host.limits
    order.logLevel = host.log.level
    let description: IsolatedProcess.Description
    do throws(Refusal) {
      description = try Self.describe(order, file.label, executable, host.log)
    } catch {
      stage.remove(copy)
      throw error
    }
    self.copy = copy
    self.stage = stage
    id = description.id
    version = description.version
    summary = description.summary
    plugin = IsolatedPlugin(description, order: order, executable: executable)
    unsafe texts = unsafe [id, version, summary].map { text in
      let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
      _ = unsafe bytes.initialize(from: text.utf8)
      return unsafe bytes
    }
    unsafe descriptor = IsolatedTable.make(
      id: UnsafeBufferPointer(texts[0]),
      version: UnsafeBufferPointer(texts[1]),
      summary: UnsafeBufferPointer(texts[2]),
      abiMinor: description.abiMinor
    )
  }

  deinit {
    unsafe descriptor.deallocate()
    unsafe texts.forEach { unsafe $0.deallocate() }
  }

  private static func describe(
    _ order: LoadOrder,
    _ name: String,
    _ executable: String,
    _ log: Log
  ) throws(Refusal) -> IsolatedProcess.Description {
    let deadline = MonotonicClock.now + loadLimit.nanoseconds
    let process: IsolatedProcess
    do throws(SystemError) {
      process = try IsolatedProcess(
        name: name,
        executable: executable,
        order: order,
        receive: { _, _ in },
        complaints: { line in
          log.write(.warning, "its standard error", [("plugin", name), ("line", line)])
        },
        ended: { _, _ in }
      )
    } catch { throw Refusal(description: "its process cannot be started: \(error)") }
    defer { process.kill() }
    do throws(IsolatedProcess.Failure) {
      return try process.description(by: deadline)
    } catch {
      throw Refusal(description: error.sentence("loading the library"))
    }
  }

  var isolation: IsolationFacts? { plugin.facts }

  func steps(
    _ route: PluginRoute,
    handle: UInt64,
    image: any RequestSource,
    report: @escaping @Sendable (PluginCall.Report) -> Void
  ) -> any RequestSteps {
    RemoteCall(
      route: route,
      handle: handle,
      image: image,
      plugin: plugin,
      index: unsafe IsolatedProxy.of(route.user)?.index ?? .max,
      report: report
    )
  }

  func jobsShouldStop(_ isStopping: Bool) { plugin.tellJobs(isStopping) }

  func eventsBehind(_ user: UnsafeMutableRawPointer?) -> Int {
    unsafe IsolatedProxy.of(user)?.behind.load(ordering: .relaxed) ?? 0
  }

  /// Threads of its own are its process's, which ends with it.
  func noteForeignThreads(_ names: [String]) {}

  /// Ends the process, whatever it still does.
  func close(obstacle: String?) -> PluginLibrary.Closing {
    plugin.end(inOrder: obstacle == nil)
    stage.remove(copy)
    return .unloaded
  }
}

extension IsolatedProcess.Failure {
  /// What went wrong in `step`, for operators.
  func sentence(_ step: String) -> String {
    switch self {
    case .refused(let sentence): sentence
    case .ended(let exit) where exit.hasPrefix("SIG") || exit.hasPrefix("signal"):
      "the plugin crashes in \(step) (\(exit))"
    case .ended(let exit) where exit.hasPrefix("exit"):
      "the plugin ended its process in \(step) (\(exit))"
    case .ended(let exit): exit
    case .hangs: "\(step) has not returned in time; its process was ended"
    }
  }
}

/// One thing that the plugin declared, as the argument of the functions that stand in for it here.
final class IsolatedProxy: Sendable {
  let plugin: IsolatedPlugin
  /// Which of its declarations.
  let index: UInt32
  /// Events sent to a subscription and not taken.
  let behind = Atomic<Int>(0)

  init(plugin: IsolatedPlugin, index: UInt32) {
    self.plugin = plugin
    self.index = index
  }

  /// The proxy behind `user`, which its plugin keeps until it has ended.
  static func of(_ user: UnsafeMutableRawPointer?) -> IsolatedProxy? {
    guard let user = unsafe user else { return nil }
    return unsafe Unmanaged<IsolatedProxy>.fromOpaque(user).takeUnretainedValue()
  }

  var pointer: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }
}
