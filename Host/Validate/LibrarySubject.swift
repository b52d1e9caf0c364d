import Glibc
import Synchronization

/// The library under test, as the child of one test sees it.
final class LibrarySubject {
  /// A private copy of the library.
  let path: String
  /// What instances are created with.
  let settings: [UInt8]
  let journal: Journal
  /// How long a route may take to answer.
  let answerTime: Duration
  var random: SeededRandom
  private let directory: String
  private var opened: PluginLibrary?
  private var directories = 0

  /// Describes the subject of one test.
  ///
  /// - Parameters:
  ///   - path: Of the copy.
  ///   - directory: Empty, of this test alone.
  ///   - settings: JSON, or what the author says.
  ///   - random: Seeded.
  ///   - answerTime: For each answer.
  ///   - journal: To the parent.
  init(
    path: String,
    directory: String,
    settings: [UInt8],
    random: SeededRandom,
    answerTime: Duration,
    journal: Journal
  ) {
    self.path = path
    self.directory = directory
    self.settings = settings
    self.random = random
    self.answerTime = answerTime
    self.journal = journal
  }

  /// The bytes of the library.
  func bytes() throws(ValidatorTest.Stop) -> [UInt8] {
    do throws(FileBytes.Refusal) {
      return try FileBytes.read(path, limit: GenerationStage.maxBytes)
    } catch {
      throw .failed("The library cannot be read: \(error).")
    }
  }

  /// The library, opened once.
  func library() throws(ValidatorTest.Stop) -> PluginLibrary {
    if let opened { return opened }
    journal.step("opening the library")
    do throws(PluginLibrary.Refusal) {
      let copy = GenerationStage.Copy(path: path, digest: "")
      let library = try PluginLibrary(copy: copy, stage: nil)
      opened = library
      return library
    } catch {
      throw .failed("It cannot be loaded: \(error).")
    }
  }

  /// An instance that is not created yet.
  ///
  /// - Parameters:
  ///   - script: What its host does.
  ///   - data: Its data directory; a new one when `nil`.
  /// - Returns: The instance.
  /// - Throws: When the library cannot be loaded.
  func instance(
    _ script: ScriptedHost.Script = .init(),
    data: String? = nil
  ) throws(ValidatorTest.Stop) -> HostedInstance {
    let library = try library()
    let directory = if let data { data } else { try newDirectory() }
    return HostedInstance(
      library: library,
      host: ScriptedHost(script, directory: directory, plugin: library.id),
      journal: journal,
      stepTime: answerTime * 2
    )
  }

  /// An instance that serves.
  func active(
    _ script: ScriptedHost.Script = .init(),
    data: String? = nil
  ) throws(ValidatorTest.Stop) -> HostedInstance {
    let instance = try instance(script, data: data)
    try instance.create(settings)
    try instance.activate()
    return instance
  }

  /// A new, empty data directory.
  func newDirectory() throws(ValidatorTest.Stop) -> String {
    directories += 1
    let path = "\(directory)/data-\(directories)"
    do throws(SystemError) { try Directory.make(path) } catch {
      throw .failed("A data directory could not be made: \(error).")
    }
    return path
  }

  /// Calls that came when none may, a sentence each.
  func strays() -> [String] { ScriptedHost.takeStrays() }
}
