import Glibc

/// What a job's processes still hold of files that no name leads to any more.
///
/// A file is not gone while a process has it open or mapped; whoever counts names alone lets a job fill the disk with it.
package enum DeletedFiles {
  /// Descriptors and mappings of all processes that are looked at.
  package static let maxHeld = 100_000

  /// What such files take.
  package struct Use: Sendable, Equatable {
    package var bytes = 0
    /// There are more than `maxHeld` descriptors and mappings.
    package var isTooMany = false
  }

  /// What the processes hold on the file system of a folder.
  ///
  /// - Parameters:
  ///   - processes: Those that have ended meanwhile hold nothing.
  ///   - folder: Absolute path.
  /// - Returns: The sum, each file once. Mappings are seen by the superuser alone (proc(5)).
  package static func use(of processes: [Int32], beside folder: String) -> Use {
    var use = Use()
    var home = stat()
    guard unsafe stat(folder, &home) == 0 else { return use }
    var seen: Set<ino_t> = []
    var looked = 0
    for process in processes {
      for kind in ["fd", "map_files"] {
        guard var held = try? DirectoryEntries(path: "/proc/\(process)/\(kind)") else { continue }
        while let entry = held.next() {
          looked += 1
          guard looked <= maxHeld else {
            use.isTooMany = true
            return use
          }
          var file = stat()
          // Through the link, which leads to the file also where it has no name.
          guard unsafe fstatat(held.descriptor, entry.bytes, &file, 0) == 0, file.st_nlink == 0,
            file.st_dev == home.st_dev, seen.insert(file.st_ino).inserted
          else { continue }
          use.bytes += Int(file.st_blocks) * 512
        }
      }
    }
    return use
  }
}
