import PluginStorage

/// Looks at what a job has written, again and again while it runs.
///
/// A quota that the kernel holds would take a file system for each job; between two looks a job may write more than it
/// should, which `RLIMIT_FSIZE` bounds for any one file and the room of the disk for all.
struct DiskWatch {
  private let folder: LeaseFolder
  private let group: ControlGroup
  private let disk: Int
  private let output: Int
  private var nextLook: UInt64 = 0

  /// A watch over a job's folders.
  ///
  /// - Parameters:
  ///   - folder: Of the lease.
  ///   - group: Of its processes.
  ///   - disk: Bytes of all that it may have there.
  ///   - output: Bytes of its results.
  init(_ folder: LeaseFolder, _ group: ControlGroup, disk: Int, output: Int) {
    self.folder = folder
    self.group = group
    self.disk = disk
    self.output = output
  }

  /// Looks, when it is time to.
  ///
  /// - Parameter now: The moment.
  /// - Returns: What limit the job has passed; `nil` for none.
  mutating func overrun(_ now: UInt64) -> String? {
    guard now >= nextLook else { return nil }
    defer {
      // A tenth of the time at most is spent on looking.
      let after = Clock.monotonic()
      nextLook = after + max(ProcessJob.lookPause, 9 * (after - now))
    }
    return last()
  }

  /// Looks.
  ///
  /// - Returns: What limit the job has passed; `nil` for none.
  func last() -> String? {
    guard let work = try? FileTree.use(folder.work),
      let temporary = try? FileTree.use(folder.temporary)
    else { return nil }
    let deleted = DeletedFiles.use(of: group.members, beside: folder.work)
    let bytes = work.bytes + temporary.bytes + deleted.bytes
    if bytes > disk {
      return "disk: the job's files take \(bytes) bytes and may take \(disk)"
    }
    if deleted.isTooMany {
      return "disk: the job has more than \(DeletedFiles.maxHeld) descriptors and mappings"
    }
    if work.entries + temporary.entries > FileTree.maxEntries {
      return "disk: the job has made more than \(FileTree.maxEntries) files"
    }
    if work.isClosed || temporary.isClosed {
      return "disk: the job has made a folder that cannot be looked into"
    }
    if work.isTooDeep || temporary.isTooDeep {
      return "disk: the job's folders are deeper than \(FileTree.maxDepth)"
    }
    // Disk blocks may be more than the bytes of small files; those are counted at the end.
    if let results = try? FileTree.use(folder.work + "/outputs"),
      results.bytes - results.entries * 4096 > output
    {
      return "output: the files under outputs/ take \(results.bytes) bytes and may have \(output)"
    }
    return nil
  }
}
