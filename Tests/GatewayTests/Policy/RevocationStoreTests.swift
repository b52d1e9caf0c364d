import Glibc
import Testing

@testable import Gateway

@Suite("Revoked tokens")
struct RevocationStoreTests {
  /// Runs `body` with the path of a database in a directory of its own.
  func withPath(_ body: (String) throws -> Void) throws {
    var name = Array("/tmp/revocations-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&name))
    let directory = String(cString: made)
    defer {
      for file in ["gateway.db", "gateway.db-wal", "gateway.db-shm"] {
        unlink(directory + "/" + file)
      }
      rmdir(directory)
    }
    try body(directory + "/gateway.db")
  }

  @Test func `what is revoked stays so over a restart, until it expires`() throws {
    try withPath { path in
      do {
        let store = try RevocationStore(path: path, now: 0)
        #expect(!store.isRevoked("a"))
        let version = store.version
        try store.revoke("a", until: 1000)
        try store.revoke("b", until: 5000)
        #expect(store.isRevoked("a") && store.version != version)
      }
      let later = try RevocationStore(path: path, now: 1030)
      #expect(later.isRevoked("a") && later.isRevoked("b"))
      let last = try RevocationStore(path: path, now: 1031)
      #expect(!last.isRevoked("a") && last.isRevoked("b"))
    }
  }

  @Test func `a revocation by another process is taken in`() throws {
    try withPath { path in
      let server = try RevocationStore(path: path, now: 0)
      let command = try RevocationStore(path: path, now: 0)
      #expect(try !server.refresh(now: 0))
      try command.revoke("x", until: 100)
      let version = server.version
      #expect(try server.refresh(now: 0))
      #expect(server.isRevoked("x") && server.version != version)
      #expect(try !server.refresh(now: 0))
    }
  }

  @Test func `a later refresh forgets what has expired`() throws {
    try withPath { path in
      let store = try RevocationStore(path: path, now: 0)
      try store.revoke("x", until: 100)
      try store.refresh(now: 130)
      #expect(store.isRevoked("x"))
      try store.refresh(now: 131)
      #expect(!store.isRevoked("x"))
    }
  }

  @Test func `revoking again keeps the later time, and names may hold anything`() throws {
    try withPath { path in
      let store = try RevocationStore(path: path, now: 0)
      try store.revoke("it's; DROP", until: 1000)
      try store.revoke("it's; DROP", until: 10)
      #expect(try RevocationStore(path: path, now: 900).isRevoked("it's; DROP"))
    }
  }

  @Test func `a directory that is missing is named`() {
    let error = #expect(throws: StorageError.self) {
      try RevocationStore(path: "/nonexistent/gateway.db", now: 0)
    }
    #expect(error?.description.contains("/nonexistent/gateway.db: cannot open") == true)
  }
}
