import Foundation
import GatewayPlugin
import Glibc
import Peering
import PluginStorage
import Synchronization
import TestSupport
import Testing

@testable import P2PFog

/// A worker with real threads and, unless a test says otherwise, this machine's real sandbox.
final class WorkerBench: Sendable {
  let folder = WorkerFolder()
  let coordinator: ScriptedCoordinator
  let worker: FogWorker
  /// Whether jobs and the ticker are to end.
  let stops: Flag
  let threads: Counter
  /// Names of leases' folders and groups, as `run` saw them.
  let seen = Mutex<Set<String>>([])

  final class Flag: Sendable {
    private let state = Atomic<Bool>(false)
    var isUp: Bool { state.load(ordering: .acquiring) }
    func raise() { state.store(true, ordering: .releasing) }
  }

  final class Counter: Sendable {
    private let state = Atomic<Int>(0)
    var value: Int { state.load(ordering: .acquiring) }
    func add(_ count: Int) { state.wrappingAdd(count, ordering: .acquiringAndReleasing) }
  }

  typealias Service = @Sendable (WorkerSurroundings.ServiceCall) throws(HostRefusal) -> JSON

  init(
    _ settings: WorkerSettings = WorkerSettings(),
    coordinator: ScriptedCoordinator = ScriptedCoordinator(),
    isolate: (@Sendable () -> Result<Sandbox, IsolationRefusal>)? = nil,
    service: @escaping Service = { (_) throws(HostRefusal) in throw .notFound }
  ) throws {
    self.coordinator = coordinator
    let stops = Flag()
    let threads = Counter()
    self.stops = stops
    self.threads = threads
    let path = folder.path
    let meter = Meter(directory: path)
    let around = WorkerSurroundings(
      startJob: { _, work in
        threads.add(1)
        Thread.detachNewThread {
          work { stops.isUp }
          threads.add(-1)
        }
      },
      submit: { work in Thread.detachNewThread { work() } },
      service: service,
      warn: { what, why in print("warning:", what, why) },
      now: Clock.monotonic,
      measure: { meter.look() },
      isolate: isolate ?? { SandboxCheck.sandbox(hiding: path, trying: path + "/leases") }
    )
    worker = try FogWorker(
      around: around,
      calls: coordinator,
      directory: path,
      settings: settings
    )
  }

  deinit { stops.raise() }

  /// Begins to work for the coordinator, and waits until it knows.
  func begin(waitsForIsolation: Bool = true) {
    worker.join(coordinator: coordinator.peer)
    worker.activate()
    Thread.detachNewThread { [weak self, stops] in
      while !stops.isUp {
        self?.worker.advance()
        usleep(20_000)
      }
    }
    expect("the node is registered") {
      coordinator.book.withLock { !$0.registrations.isEmpty && !$0.reports.isEmpty }
    }
    guard waitsForIsolation else { return }
    expect("the sandbox was tried") {
      if case .success = worker.isolation.withLock({ $0 }) { return true }
      return false
    }
  }

  /// Waits until something holds, at most 20 s.
  func expect(
    _ what: String,
    seconds: Int = 20,
    _ condition: () -> Bool,
    at location: SourceLocation = #_sourceLocation
  ) {
    let deadline = Clock.monotonic() + UInt64(seconds) * 1_000_000_000
    while !condition() {
      guard Clock.monotonic() < deadline else {
        Issue.record("\(what): not within \(seconds) s", sourceLocation: location)
        return
      }
      usleep(5000)
    }
  }

  /// An offer of a command, its bundle held ready.
  func offer(
    _ id: String,
    _ command: [String],
    bundle: [UInt8]? = nil,
    environment: JSON = [:],
    files: [(name: String, bytes: [UInt8])] = [],
    change: (inout LeaseOffer) -> Void = { _ in }
  ) -> LeaseOffer {
    var requirements = Requirements()
    requirements.memoryMegabytes = 128
    requirements.diskMegabytes = 32
    requirements.maxDurationSeconds = 20
    var parameters: [JSON.Member] = [
      .init(name: "command", value: .array(command.map { .string($0) })),
      .init(name: "environment", value: environment),
    ]
    var inputs: [LeaseOffer.Input] = []
    func add(_ fileID: String, _ name: String, _ bytes: [UInt8]) {
      coordinator.book.withLock { $0.files[fileID] = bytes }
      inputs.append(
        .init(
          fileID: fileID,
          filename: name,
          size: bytes.count,
          sha256: TarBuilder.sha256(bytes)
        )
      )
    }
    if let bundle {
      add("bundle-\(id)", "bundle.tar", bundle)
      parameters.append(.init(name: "bundle", value: .string("bundle-\(id)")))
    }
    for (number, file) in files.enumerated() { add("file-\(id)-\(number)", file.name, file.bytes) }
    var offer = LeaseOffer(
      leaseID: id,
      jobID: "job-\(id)",
      type: .process,
      requirements: requirements,
      parameters: .object(parameters),
      inputs: inputs,
      outputBytes: 1 << 20,
      logBytes: 1 << 20,
      leaseSeconds: 10
    )
    change(&offer)
    return offer
  }

  /// Offers a shell script, waits for its end, and gives how it ended.
  func run(
    _ script: String,
    id: String = "lease",
    bundle: [UInt8]? = nil,
    environment: JSON = [:],
    files: [(name: String, bytes: [UInt8])] = [],
    seconds: Int = 30,
    change: (inout LeaseOffer) -> Void = { _ in }
  ) throws -> ScriptedCoordinator.Finish {
    let offer = offer(
      id,
      ["/bin/sh", "-c", script],
      bundle: bundle,
      environment: environment,
      files: files,
      change: change
    )
    _ = try coordinator.ask("fog.lease", offer.json)
    expect("the job ends", seconds: seconds) {
      seen.withLock { $0.formUnion(SystemFile.names(in: folder.path + "/leases")) }
      return coordinator.finish(id) != nil
    }
    expect("its thread ends") { worker.book.withLock { $0.held.isEmpty } }
    return try #require(coordinator.finish(id))
  }

  /// Why programs cannot be isolated on this machine; `nil` when they can.
  static let refusal: IsolationRefusal? = {
    let folder = WorkerFolder()
    mkdir(folder.path + "/leases", 0o700)
    let result = SandboxCheck.sandbox(hiding: folder.path, trying: folder.path + "/leases")
    if case .failure(let refusal) = result { return refusal }
    return nil
  }()
}
