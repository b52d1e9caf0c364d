import CLinux

/// What is looked after once a second: revocations that another process has written.
package final class Housekeeping: Source {
  private let core: Core
  private let revocations: RevocationStore
  private let loop: EventLoop
  private static let period: Int64 = 1_000_000_000

  init(core: Core, revocations: RevocationStore, loop: EventLoop) {
    self.core = core
    self.revocations = revocations
    self.loop = loop
    super.init()
    loop.add(self)
    loop.setDeadline(self, at: loop.now + Self.period)
  }

  package override func expired() {
    loop.setDeadline(self, at: loop.now + Self.period)
    let (revocations, log) = (revocations, core.log)
    // A full pool means that another second will have to do.
    _ = core.pool.submit {
      do throws(StorageError) {
        _ = try revocations.refresh(now: linux_realtime() / 1_000_000_000)
      } catch {
        log.write(.error, "cannot read revocations", [("error", "\(error)")])
      }
    }
  }
}
