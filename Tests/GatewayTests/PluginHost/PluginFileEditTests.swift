import Glibc
import Testing
import Wire

@testable import Gateway

@Suite("Switching a plugin on and off in its file")
struct PluginFileEditTests {
  private static let text = "// mine\n{\n  \"library\": \"good\", // beside\n}\n"

  private func withFile(_ text: String, _ body: (String, String) throws -> Void) throws {
    var template = Array("/tmp/gateway-edit-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { Directory.removeAll(folder) }
    let path = "\(folder)/10-good.jsonc"
    let raw = open(path, O_WRONLY | O_CREAT, 0o600)
    try Directory.writeAll(raw, Array(text.utf8)[...])
    close(raw)
    try body(folder, path)
  }

  private func read(_ path: String) throws -> String {
    String(decoding: try FileBytes.read(path, limit: 1 << 20), as: UTF8.self)
  }

  private func isOn(_ path: String) throws -> Bool { try PluginFile(path: path).isEnabled }

  private func status(_ path: String) throws -> stat {
    var status = stat()
    try #require(lstat(path, &status) == 0)
    return status
  }

  @Test func `keeps comments, layout, mode and owner, and leaves nothing behind`() throws {
    try withFile(Self.text) { folder, path in
      chmod(path, 0o640)
      let before = try status(path)
      try PluginFileEdit.setEnabled(false, in: path)
      #expect(
        try read(path)
          == "// mine\n{\n  \"enabled\": false,\n  \"library\": \"good\", // beside\n}\n"
      )
      #expect(try !isOn(path))
      let after = try status(path)
      #expect(after.st_mode == before.st_mode && after.st_uid == before.st_uid)
      #expect(after.st_gid == before.st_gid && after.st_ino != before.st_ino)
      #expect(Directory.names(in: folder) == ["10-good.jsonc"])
      try PluginFileEdit.setEnabled(true, in: path)
      #expect(try isOn(path))
    }
  }

  @Test(arguments: [true, false])
  func `a file that says so already is left alone`(_ isEnabled: Bool) throws {
    let text = isEnabled ? Self.text : #"{"library": "good", "enabled": false}"#
    try withFile(text) { _, path in
      let before = try status(path)
      try PluginFileEdit.setEnabled(isEnabled, in: path)
      #expect(try status(path).st_ino == before.st_ino)
      #expect(try read(path) == text)
    }
  }

  @Test func `follows a link to the file, and keeps the link`() throws {
    try withFile(Self.text) { folder, path in
      let link = "\(folder)/20-link.json"
      try #require(symlink(path, link) == 0)
      try PluginFileEdit.setEnabled(false, in: link)
      #expect(try status(link).st_mode & S_IFMT == S_IFLNK)
      #expect(try !isOn(path))
    }
  }

  @Test func `a file that is wrong stays as it is, and its fault is said`() throws {
    let text = "{\n  \"library\": \"good\",\n  \"enabld\": true\n}\n"
    try withFile(text) { _, path in
      let error = #expect(throws: PluginFileError.self) {
        try PluginFileEdit.setEnabled(false, in: path)
      }
      #expect(error?.description.hasPrefix("\(path):3:3: error: unknown key") == true)
      let after = try read(path)
      #expect(after == text)
    }
  }

  @Test func `a file that is not there, or in a directory that is not ours, is named`() throws {
    try withFile(Self.text) { folder, path in
      let missing = #expect(throws: PluginFileError.self) {
        try PluginFileEdit.setEnabled(false, in: "\(folder)/10-none.json")
      }
      #expect(missing?.description.contains("cannot be read: realpath: No such file") == true)
      guard geteuid() != 0 else { return }  // root may write everywhere
      chmod(folder, 0o500)
      defer { chmod(folder, 0o700) }
      let refused = #expect(throws: PluginFileError.self) {
        try PluginFileEdit.setEnabled(false, in: path)
      }
      #expect(refused?.description.contains("cannot be changed: open: Permission denied") == true)
    }
  }

  @Test func `what a killed process left is no obstacle`() throws {
    try withFile(Self.text) { folder, path in
      close(open("\(folder)/.10-good.jsonc.\(getpid()).new", O_WRONLY | O_CREAT, 0o600))
      try PluginFileEdit.setEnabled(false, in: path)
      #expect(Directory.names(in: folder) == ["10-good.jsonc"])
    }
  }
}
