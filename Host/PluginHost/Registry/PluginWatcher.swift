import CLinux
import Glibc
import Synchronization

/// Sees libraries, their signatures, and files of the plugins directory being put in place, and has the registry follow.
///
/// Only a completed rename counts, or a removal of a file: whoever writes a file in place may be half done when it is
/// read. What a rename brings is settled a moment later, so that several at once are one change.
package final class PluginWatcher: Sendable {
  private struct Watches {
    /// Directories by the kernel's numbers for them.
    var directories: [CInt: String] = [:]
    /// When to look, nanoseconds of the monotonic clock; `nil` while nothing has happened.
    var due: Int64?
    var isStopping = false
  }

  /// Time for whatever belongs to one change to happen, nanoseconds.
  private static let settling: Int64 = 100_000_000

  private let registry: PluginRegistry
  private let inotify: Descriptor
  private let watches = Mutex(Watches())
  private let thread: Monitor<HostThread?> = Monitor(nil)

  /// Begins to watch.
  ///
  /// - Parameter registry: Has loaded its plugins.
  /// - Throws: `SystemError` when the kernel has no inotify for us.
  package init(_ registry: PluginRegistry) throws(SystemError) {
    self.registry = registry
    inotify = Descriptor(adopting: try retrying("inotify_init1") { linux_inotify() })
    watchAll()
    let thread = try HostThread(name: "plugin watch") { [self] in run() }
    self.thread.withLock { $0 = thread }
  }

  /// Has everything looked at soon, as after a rename; returns at once.
  package func look() { watches.withLock { $0.due = MonotonicClock.now } }

  /// Stops watching; returns when no change is under way.
  package func close() {
    watches.withLock { $0.isStopping = true }
    thread.withLock { $0.take() }?.join()
  }

  /// Watches the plugins directory and every directory that a library is in.
  private func watchAll() {
    let directories = registry.libraryDirectories + [registry.settings.pluginsDirectory]
    watches.withLock { watches in
      for directory in Set(directories) where !watches.directories.values.contains(directory) {
        let number = unsafe linux_inotify_watch(inotify.raw, directory)
        if number >= 0 { watches.directories[number] = directory }
      }
    }
  }

  private func run() {
    while true {
      let (due, isStopping) = watches.withLock { ($0.due, $0.isStopping) }
      if isStopping { return }
      if let due, due <= MonotonicClock.now {
        watches.withLock { $0.due = nil }
        _ = registry.rescan()
        watchAll()
      }
      var ready = pollfd(fd: inotify.raw, events: Int16(POLLIN), revents: 0)
      // Short, for `close` and `look` have no bell.
      guard unsafe poll(&ready, 1, 50) > 0, hasHappened() else { continue }
      watches.withLock { $0.due = MonotonicClock.now + Self.settling }
    }
  }

  /// Reads what waits; says whether any of it is of a plugin.
  private func hasHappened() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 16 * 1024)
    let count = unsafe linux_read(inotify.raw, &bytes, bytes.count)
    guard count > 0 else { return false }
    let libraries = registry.libraryNames
    let plugins = registry.settings.pluginsDirectory
    var happened = false
    var offset = 0
    while offset < count {
      var event = linux_change()
      let size = unsafe linux_next_change(bytes, CInt(offset), CInt(count), &event)
      guard size > 0 else { break }
      offset += Int(size)
      let name = unsafe withUnsafeBytes(of: &event.name) { name in
        unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
      }
      let isOver = event.is_overflow != 0
      let directory = watches.withLock { $0.directories[event.watch] }
      let isFile = directory == plugins && PluginFile.isMeant(name)
      let isLibrary =
        event.is_arrival != 0
        && libraries.contains { name == $0 || name == PluginSignature.path(of: $0) }
      if isOver || isFile || isLibrary { happened = true }
    }
    return happened
  }
}

extension PluginRegistry {
  /// The directories of the libraries that the plugins directory names.
  var libraryDirectories: [String] {
    sources.compactMap { source in
      source.lastIndex(of: "/").map { String(source[..<$0]) }
    }
  }

  /// The names of those libraries.
  var libraryNames: Set<String> {
    Set(sources.compactMap { $0.split(separator: "/").last.map(String.init) })
  }

  private var sources: [String] {
    let files = (try? PluginFile.paths(in: settings.pluginsDirectory)) ?? []
    return files.flatMap { path -> [String] in
      guard let file = try? PluginFile(path: path) else { return [] }
      return file.candidates(in: loader.libraryDirectory)
    }
  }
}
