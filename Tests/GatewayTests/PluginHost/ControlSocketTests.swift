import CLinux
import Glibc
import Testing
import Wire

@testable import Gateway

@Suite("Control socket")
struct ControlSocketTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    var template = Array("/tmp/gateway-control-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { Directory.removeAll(path) }
    try body(path)
  }

  @Test func `answers one request a connection`() throws {
    try withDirectory { directory in
      let socket = try ControlSocket(directory: directory) { ["asked": $0] }
      for number in 0..<3 {
        let answer = try ControlSocket.ask(directory, ["n": .integer(Int64(number))])
        #expect(answer["asked"]?["n"]?.asInteger == Int64(number))
      }
      socket.close()
      #expect(access(socket.path, F_OK) != 0)
    }
  }

  @Test func `says that no gateway runs`() throws {
    try withDirectory { directory in
      let path = "\(directory)/control.sock"
      #expect(throws: ControlSocket.Failure.notRunning(path: path)) {
        try ControlSocket.ask(directory, nil)
      }
    }
  }

  @Test func `refuses the directory of another gateway, takes over that of a killed one`() throws {
    try withDirectory { directory in
      let socket = try ControlSocket(directory: directory) { $0 }
      #expect(throws: ControlSocket.Failure.inUse(path: socket.path)) {
        _ = try ControlSocket(directory: directory) { $0 }
      }
      socket.close()
      let stale = linux_unix_socket(socket.path, 1)
      try #require(stale >= 0)
      close(stale)
      let next = try ControlSocket(directory: directory) { $0 }
      #expect(try ControlSocket.ask(directory, [1]) == [1])
      next.close()
    }
  }

  @Test func `is for the gateway's own user only`() throws {
    try withDirectory { directory in
      let socket = try ControlSocket(directory: directory) { $0 }
      var status = stat()
      try #require(stat(socket.path, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o600)
      socket.close()
    }
  }

  @Test func `answers what is no JSON with its fault`() throws {
    try withDirectory { directory in
      let socket = try ControlSocket(directory: directory) { $0 }
      let raw = linux_unix_socket(socket.path, 0)
      try #require(raw >= 0)
      try Directory.writeAll(raw, Array("{\n".utf8)[...])
      var bytes = [UInt8](repeating: 0, count: 256)
      let count = read(raw, &bytes, bytes.count)
      close(raw)
      #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self).hasPrefix("{\"error\":"))
      socket.close()
    }
  }
}
