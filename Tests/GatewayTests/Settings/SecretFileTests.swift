import Glibc
import Testing

@testable import Gateway

@Suite("The secret in the data directory")
struct SecretFileTests {
  /// What is read of a file with these bytes and this mode.
  func read(_ text: String, mode: mode_t) throws -> String? {
    var name = Array("/tmp/secret-XXXXXX".utf8CString)
    let directory = String(cString: try #require(mkdtemp(&name)))
    let path = directory + "/secret"
    let file = try #require(fopen(path, "w"))
    fputs(text, file)
    fclose(file)
    chmod(path, mode)
    defer {
      unlink(path)
      rmdir(directory)
    }
    return try SecretFile.read(directory)
  }

  @Test func `a private file is read without its line end`() throws {
    #expect(try read("abc\n", mode: 0o600) == "abc")
    #expect(try read("abc", mode: 0o400) == "abc")
  }

  @Test(arguments: [0o640, 0o604, 0o666, 0o610] as [mode_t])
  func `a file that others may touch is refused with the command that mends it`(_ mode: mode_t) {
    let error = #expect(throws: SecretFile.Refusal.self) { try read("abc", mode: mode) }
    #expect(error?.description.contains("chmod 600") == true)
    #expect(error?.description.contains("abc") == false)
  }

  @Test func `4096 bytes are read and one more is refused`() throws {
    let long = String(repeating: "a", count: 4096)
    #expect(try read(long, mode: 0o600) == long)
    #expect(throws: SecretFile.Refusal.self) { try read(long + "a", mode: 0o600) }
  }

  @Test func `no file is no secret, and a directory is refused`() throws {
    #expect(try SecretFile.read("/nonexistent") == nil)
    var name = Array("/tmp/secret-XXXXXX".utf8CString)
    let directory = String(cString: try #require(mkdtemp(&name)))
    mkdir(directory + "/secret", 0o700)
    defer {
      rmdir(directory + "/secret")
      rmdir(directory)
    }
    #expect(throws: SecretFile.Refusal.self) { try SecretFile.read(directory) }
  }
}
