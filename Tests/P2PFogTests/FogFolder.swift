import Foundation

/// A folder of its own for one test; removed with everything in it when the test lets go.
final class FogFolder: Sendable {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "/fog-" + UUID().uuidString
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      fatalError("\(path) cannot be made: \(error)")
    }
  }

  /// What a process that is killed now leaves on the disk.
  func copy() -> FogFolder {
    let folder = FogFolder()
    do {
      for name in try FileManager.default.contentsOfDirectory(atPath: path) {
        try FileManager.default.copyItem(
          atPath: path + "/" + name,
          toPath: folder.path + "/" + name
        )
      }
    } catch {
      fatalError("\(path) cannot be copied: \(error)")
    }
    return folder
  }

  /// Paths of all files below `under`, relative, sorted.
  func files(_ under: String) -> [String] {
    let root = path + "/" + under
    let all = FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? []
    return all.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: root + "/" + name, isDirectory: &isFolder)
        && !isFolder.boolValue
    }.sorted()
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
