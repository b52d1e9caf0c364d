import CGatewayPlugin
import CLinux
import Glibc
import Synchronization

/// The process of one isolated plugin: loads the library and does what the gateway asks over the link.
///
/// Its main thread is what the contract calls the loop: it does what comes over the link, and runs what must return at
/// once.
package enum GuestProcess {
  /// The hidden verb of the gateway's command line that runs it.
  package static let verb = "plugin-process"
  /// The descriptor of the link.
  private static let linkDescriptor: CInt = 3

  /// Runs until the gateway is gone or has had enough, and then ends the process with status 0.
  ///
  /// - Returns: The exit status when it cannot begin: 1 when the library could not be loaded, 2 when called by hand.
  package static func run() -> Int32 {
    guard fcntl(linkDescriptor, F_GETFD) >= 0 else { return 2 }
    linux_live_with_parent()
    _ = fcntl(linkDescriptor, F_SETFD, FD_CLOEXEC)
    linux_close_from(linkDescriptor + 1)
    umask(0o077)
    do {
      let link = try ProcessLink(Descriptor(adopting: linkDescriptor), isGateway: false)
      guard let frame = link.next(), frame.kind == .load else { return 2 }
      let order = try LoadOrder(frame)
      let sandbox = Sandbox.enter(order)
      // Asked for once more: giving up rights may take it back.
      linux_live_with_parent()
      let guest = try load(order, link)
      link.send(.loaded) { frame in
        frame.add("")
        frame.add(guest.library.id)
        frame.add(guest.library.version)
        frame.add(guest.library.summary)
        frame.add(unsafe guest.library.descriptor.pointee.abi_minor)
        frame.add(sandbox.holding.joined(separator: " "))
        frame.add(sandbox.missing.joined(separator: " "))
      }
      guest.serve()
    } catch {
      return 1
    }
  }

  private static func load(_ order: LoadOrder, _ link: ProcessLink) throws -> Guest {
    let copy = GenerationStage.Copy(path: order.library, digest: "")
    do {
      let desk = GuestDesk(link, limits: order.limits)
      let resources = try resources(order, desk)
      Sandbox.limitMemory(order.memoryBytes)
      let library = try PluginLibrary(copy: copy, stage: nil)
      return try Guest(library, order: order, link: link, resources, desk)
    } catch {
      link.send(.loaded) { frame in
        frame.add("\(error)")
        for _ in 0..<3 { frame.add("") }
        frame.add(UInt32(0))
        for _ in 0..<2 { frame.add("") }
      }
      // The link takes nothing without a reader once its buffer is full: wait until the gateway hangs up.
      while link.next() != nil {}
      throw error
    }
  }

  private static func resources(_ order: LoadOrder, _ desk: GuestDesk) throws -> HostResources {
    let server = NoServer()
    let writer = try LogWriter(output: STDERR_FILENO)
    return try HostResources(
      sink: desk,
      outlet: server,
      pool: WorkerPool(threads: order.limits.poolThreads, queue: order.limits.poolQueue),
      claims: DeclarationClaims(reserved: []),
      metrics: MetricsRegistry(),
      health: HealthBoard(),
      log: Log(writer: writer, level: order.logLevel, format: .text),
      limits: order.limits,
      cores: Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
    )
  }
}
