import CLinux
import Glibc

/// The child's part of one test.
package enum ValidatorChild {
  /// The hidden verb of the gateway's command line that runs it.
  package static let verb = "check-library"

  /// Runs one test and tells the parent how it ended.
  ///
  /// - Parameter arguments: Test, library, directory, file of settings, seed, nanoseconds for an answer.
  /// - Returns: The exit status: 0 when the parent was told, 2 when called by hand.
  package static func run(_ arguments: [String]) -> Int32 {
    guard arguments.count == 6, fcntl(ChildProcess.reportDescriptor, F_GETFD) >= 0,
      let test = ValidatorTest.all.first(where: { $0.name == arguments[0] }),
      let settings = try? FileBytes.read(arguments[3], limit: CheckOrder.maxSettingsBytes),
      let seed = UInt64(arguments[4]), let answerTime = Int64(arguments[5])
    else { return 2 }
    linux_live_with_parent()
    // A grandchild must not keep the parent waiting for the end of the report.
    _ = fcntl(ChildProcess.reportDescriptor, F_SETFD, FD_CLOEXEC)
    let journal = Journal(output: ChildProcess.reportDescriptor)
    let subject = LibrarySubject(
      path: arguments[1],
      directory: arguments[2],
      settings: settings,
      random: SeededRandom(seed: seed, name: test.name),
      answerTime: .nanoseconds(answerTime),
      journal: journal
    )
    do throws(ValidatorTest.Stop) {
      let note = try test.run(subject)
      try ValidatorTest.Stop.unless(subject.strays())
      journal.end(.passed, note.isEmpty ? [] : [note])
    } catch {
      switch error {
      case .failed(let sentences): journal.end(.failed, sentences + subject.strays())
      case .skipped(let reason): journal.end(.skipped, [reason])
      }
    }
    // Not by `exit`: destructors of a library that misbehaved may run for ever.
    _exit(0)
  }
}
