import CLinux
import Glibc
import Synchronization

/// Sees libraries, their signatures, and files of the plugins directory being put in place, and has the registry follow.
///
/// Only a completed rename counts, or a removal of a file: whoever writes a file in place may be half done when it is
/// read. What a rename brings is settled a moment later, so that several at once are one change. A directory that is
/// replaced, or appears later, counts as well, and so does the link `..data` through which Kubernetes replaces all
/// files of a directory at once.
package final class PluginWatcher: Sendable {
  /// What a watched directory is to the plugins; it may be several things.
  private enum Role: Hashable {
    case plugins, libraries
    /// In it is a directory of interest, of that name.
    case parent(of: String)
  }

  private struct Watches {
    /// Roles by the kernel's number for the directory.
    var roles: [CInt: Set<Role>] = [:]
    /// When to look, nanoseconds of the monotonic clock; `nil` while nothing has happened.
    var due: Int64?
    /// What `due` is put off to at most.
    var latest: Int64 = 0
    var isStopping = false
  }

  /// Time for whatever belongs to one change to happen, and for how long that is waited for, nanoseconds.
  private static let settling: Int64 = 100_000_000
  private static let longestSettling: Int64 = 1_000_000_000

  private let registry: PluginRegistry
  private let inotify: Descriptor
  private let bell: Descriptor
  private let watches = Mutex(Watches())
  private let thread: Monitor<HostThread?> = Monitor(nil)

  /// Begins to note what happens, so that nothing is missed from here on.
  ///
  /// - Parameter registry: Loads its plugins after this.
  /// - Throws: `SystemError` when the kernel has no inotify for us.
  package init(_ registry: PluginRegistry) throws(SystemError) {
    self.registry = registry
    inotify = Descriptor(adopting: try retrying("inotify_init1") { linux_inotify() })
    bell = Descriptor(adopting: try retrying("eventfd") { linux_eventfd() })
    watchAll()
  }

  /// Begins to follow what happens, and what has happened since `init`.
  ///
  /// - Throws: `SystemError` when there is no thread.
  package func begin() throws(SystemError) {
    let thread = try HostThread(name: "plugin watch") { [self] in run() }
    self.thread.withLock { $0 = thread }
  }

  /// Has everything looked at soon, as after a rename; returns at once.
  package func look() {
    watches.withLock { $0.due = MonotonicClock.now }
    ring()
  }

  /// Stops watching; returns when no change is under way.
  package func close() {
    watches.withLock { $0.isStopping = true }
    ring()
    thread.withLock { $0.take() }?.join()
  }

  private func ring() { _ = eventfd_write(bell.raw, 1) }

  // MARK: - What is watched

  /// Watches the plugins directory, every directory that a library is in, and what these are in.
  private func watchAll() {
    var places = registry.libraryDirectories.map { ($0, Role.libraries) }
    places.append((registry.settings.pluginsDirectory, .plugins))
    for (directory, _) in places {
      let (parent, name) = Self.parent(of: directory)
      if let parent { places.append((parent, .parent(of: name))) }
    }
    watches.withLock { watches in
      var roles: [CInt: Set<Role>] = [:]
      // By directory, not by path: one may be reached by several, and another may be at the same by now.
      for (directory, role) in places {
        let number = unsafe linux_inotify_watch(inotify.raw, directory)
        if number >= 0 { roles[number, default: []].insert(role) }
      }
      for number in watches.roles.keys where roles[number] == nil {
        linux_inotify_unwatch(inotify.raw, number)
      }
      watches.roles = roles
    }
  }

  /// The directory that `directory` is in, `nil` for the root, and its name there.
  private static func parent(of directory: String) -> (parent: String?, name: String) {
    var path = directory[...]
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    guard path != "/" else { return (nil, "") }
    guard let slash = path.lastIndex(of: "/") else { return (".", String(path)) }
    return (String(path[...slash]), String(path[path.index(after: slash)...]))
  }

  // MARK: - What happens

  private func run() {
    while true {
      let (due, isStopping) = watches.withLock { ($0.due, $0.isStopping) }
      if isStopping { return }
      let now = MonotonicClock.now
      if let due, due <= now {
        watches.withLock { $0.due = nil }
        // Before the look, so that what happens from here on is seen; and after it, for the libraries that are new.
        watchAll()
        _ = registry.rescan()
        watchAll()
        continue
      }
      wait(due.map { CInt(($0 - now) / 1_000_000 + 1) } ?? -1)
    }
  }

  /// Waits until something happens, the bell rings, or `milliseconds` have passed.
  private func wait(_ milliseconds: CInt) {
    var ready = [
      pollfd(fd: inotify.raw, events: Int16(POLLIN), revents: 0),
      pollfd(fd: bell.raw, events: Int16(POLLIN), revents: 0),
    ]
    guard unsafe poll(&ready, 2, milliseconds) > 0 else { return }
    var count: eventfd_t = 0
    if ready[1].revents != 0 { _ = unsafe eventfd_read(bell.raw, &count) }
    guard ready[0].revents != 0, hasHappened() else { return }
    let now = MonotonicClock.now
    watches.withLock { watches in
      if watches.due == nil { watches.latest = now + Self.longestSettling }
      watches.due = min(now + Self.settling, max(watches.latest, now))
    }
  }

  /// Reads what waits; says whether any of it is of a plugin.
  private func hasHappened() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 16 * 1024)
    let count = unsafe linux_read(inotify.raw, &bytes, bytes.count)
    guard count > 0 else { return false }
    var libraries: Set<String>?
    var happened = false
    var offset = 0
    while offset < count {
      var change = linux_change()
      let size = unsafe linux_next_change(bytes, CInt(offset), CInt(count), &change)
      guard size > 0 else { break }
      offset += Int(size)
      let roles = watches.withLock { $0.roles[change.watch] ?? [] }
      happened =
        happened || change.is_overflow != 0
        || roles.contains { concerns($0, change, libraries: &libraries) }
    }
    return happened
  }

  private func concerns(_ role: Role, _ change: linux_change, libraries: inout Set<String>?) -> Bool
  {
    if change.is_end != 0 { return true }
    let name = unsafe withUnsafeBytes(of: change.name) { name in
      unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }
    if case .parent(of: name) = role { return true }
    guard change.is_creation == 0 else { return false }
    let isData = change.is_arrival != 0 && name == "..data"
    switch role {
    case .parent: return false
    case .plugins: return isData || PluginFile.isMeant(name)
    case .libraries:
      guard change.is_arrival != 0, !isData else { return isData }
      let names = libraries ?? registry.libraryNames
      libraries = names
      return names.contains { name == $0 || name == PluginSignature.path(of: $0) }
    }
  }
}

extension PluginRegistry {
  /// The directories of the libraries that the plugins directory names.
  var libraryDirectories: [String] {
    sources.compactMap { source in
      source.lastIndex(of: "/").map { String(source[...$0]) }
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
