import Glibc
import PluginStorage

@testable import Utilities

/// A folder of its own for one test; removed with everything in it when the test lets go.
final class Folder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/utilities-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/utilities-missing"
  }

  deinit { Self.remove(path) }

  /// Paths of all files below, relative, sorted.
  var files: [String] { Self.files(path, "").sorted() }

  private static func entries(_ path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func files(_ path: String, _ prefix: String) -> [String] {
    entries(path).flatMap { name -> [String] in
      let below = files(path + "/" + name, prefix + name + "/")
      let isFolder = opendir(path + "/" + name).map { closedir($0) } != nil
      return isFolder ? below : [prefix + name]
    }
  }

  private static func remove(_ path: String) {
    for name in entries(path) { remove(path + "/" + name) }
    _ = Glibc.remove(path)
  }
}

/// The bytes of a file in `Documents/`.
func document(_ name: String, from test: String = #filePath) throws -> [UInt8] {
  let folder = test.split(separator: "/").dropLast().joined(separator: "/")
  let file = try OpenFile(path: "/\(folder)/Documents/\(name)", flags: O_RDONLY)
  return try file.read(at: 0, count: try file.size())
}

extension Documents {
  /// A store in a folder of its own.
  static func temporary(
    _ folder: Folder,
    textBytes: Int = 1 << 20
  ) throws -> Documents {
    try Documents(
      directory: folder.path,
      limits: Extraction.Limits(textBytes: textBytes, pdfSeconds: 20)
    )
  }

  /// Stores bytes as an upload would.
  @discardableResult
  func add(
    _ bytes: [UInt8],
    _ filename: String,
    owner: String = "ada",
    claimed: String? = nil,
    _ label: (inout UploadLabels) -> Void = { _ in }
  ) throws -> (file: FileRecord, isDuplicate: Bool) {
    var blob = try blobs.receive()
    try blob.append(bytes.span)
    var labels = UploadLabels(owner: owner, filename: filename, claimedType: claimed)
    label(&labels)
    return try store(&blob, labels)
  }

  /// Stores a file of `Documents/`.
  @discardableResult
  func add(document name: String, owner: String = "ada") throws -> FileRecord {
    try add(try document(name), name, owner: owner).file
  }
}

/// Everything that `extract` gave.
func blocks(
  _ text: String,
  _ extract: (Span<UInt8>, BlockSink) throws -> Void
) rethrows -> [Block] {
  var found: [Block] = []
  let bytes = Array(text.utf8)
  try extract(bytes.span) { (block: Block) throws(StorageError) in found.append(block) }
  return found
}
