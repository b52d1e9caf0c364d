import GatewayPlugin
import Glibc
import PluginStorage
import Testing

@testable import Utilities

@Suite("Files, their contents and their owners")
struct DocumentsTests {
  static func contents(_ folder: Folder) -> [String] {
    folder.files.filter { $0.hasPrefix("blobs/") || $0.hasPrefix("incoming/") }
  }

  @Test func `a file comes back as it was sent`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    let stored = try documents.add(bytes, "data.bin", claimed: "application/octet-stream")
    let file = try #require(try documents.file(stored.file.id, owner: "ada"))
    #expect(file == stored.file)
    #expect(file.size == 200_000 && file.status == .stored && !file.isIndexed)
    let content = try documents.blobs.open(sha256: file.sha256)
    #expect(try content.read(at: 0, count: 300_000) == bytes)
    #expect(try content.read(at: 199_990, count: 20) == Array(bytes.suffix(10)))
    #expect(Self.contents(folder).count == 1)
    for name in ["documents.sqlite", "documents.sqlite-wal"] {
      var status = stat()
      #expect(stat(folder.path + "/" + name, &status) == 0 && status.st_mode & 0o077 == 0)
    }
  }

  @Test func `SHA-256 is SHA-256`() {
    #expect(
      SHA256.hexadecimal(of: "abc")
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
  }

  @Test func `a cut-off upload leaves nothing`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    do {
      var blob = try documents.blobs.receive()
      try blob.append([1, 2, 3].span)
      #expect(Self.contents(folder).count == 1)
    }
    #expect(Self.contents(folder).isEmpty)
    #expect(try documents.totals() == (0, 0, 0))
  }

  @Test func `what a crash left is removed at the next start, and running uploads are not`() throws
  {
    let folder = Folder()
    do {
      let documents = try Documents.temporary(folder)
      try documents.add(Array("kept".utf8), "kept.txt")
      try documents.database.write { (connection) throws(StorageError) in
        try connection.run(
          "INSERT INTO pending (file, incoming, sha256) VALUES ('dead', ?, 'aa00')",
          [.text(UUID4.make())]
        )
        try SearchIndex.insert(
          [Passage(ordinal: 0, headings: [], body: "ghost", words: 1, start: 0, end: 5, line: 1)],
          file: "dead",
          owner: "ada",
          title: "dead",
          &connection
        )
        try connection.run("INSERT INTO garbage (sha256) VALUES ('bb11')")
      }
    }
    mkdir(folder.path + "/blobs/aa", 0o700)
    mkdir(folder.path + "/blobs/bb", 0o700)
    for path in ["/blobs/aa/00", "/blobs/bb/11", "/incoming/" + UUID4.make()] {
      _ = try OpenFile(path: folder.path + path, flags: O_WRONLY | O_CREAT)
    }
    let old = try BlobStore(directory: folder.path)
    var running = try old.receive()
    try running.append([1].span)
    let documents = try Documents.temporary(folder)
    #expect(try documents.totals() == (1, 4, 1))
    #expect(Self.contents(folder).count == 2)
    try running.append([2].span)
    #expect(running.size == 2)
  }

  @Test func `the same content is stored once, and goes with its last file`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let text = Array("The same words.".utf8)
    let first = try documents.add(text, "a.txt")
    let second = try documents.add(text, "b.txt")
    let other = try documents.add(text, "c.txt", owner: "bob")
    #expect(!first.isDuplicate && second.isDuplicate)
    // Whether somebody else has the same file is nobody's business.
    #expect(!other.isDuplicate)
    #expect(Self.contents(folder).count == 1)
    _ = try documents.delete(first.file.id, owner: "ada")
    _ = try documents.delete(second.file.id, owner: nil)
    #expect(Self.contents(folder).count == 1)
    #expect(try QueryEngineTests.ask(documents, "words").confidence == 0)
    #expect(try QueryEngineTests.ask(documents, "words", owner: "bob").confidence > 0)
    _ = try documents.delete(other.file.id, owner: "bob")
    #expect(Self.contents(folder).isEmpty)
    #expect(try documents.totals() == (0, 0, 0))
  }

  @Test func `another's file can be neither seen nor deleted`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let file = try documents.add(Array("mine".utf8), "a.txt").file
    #expect(try documents.file(file.id, owner: "bob") == nil)
    #expect(try documents.delete(file.id, owner: "bob") == nil)
    #expect(try documents.file(file.id, owner: nil) == file)
    for id in ["", "x", "' OR 1=1 --", file.id.uppercased() + "x"] {
      #expect(try documents.file(id, owner: nil) == nil)
    }
  }

  @Test func `lists are pages, the newest first, with filters`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    for number in 0..<7 {
      try documents.add(Array("text \(number)".utf8), "\(number).txt") {
        $0.category = number % 2 == 0 ? "even" : "odd"
      }
    }
    try documents.add([0, 1, 2], "x.bin")
    try documents.add(Array("bob".utf8), "bob.txt", owner: "bob")
    var listing = Documents.Listing(owner: "ada")
    listing.limit = 3
    listing.offset = 1
    var page = try documents.list(listing)
    #expect(page.files.map(\.filename) == ["6.txt", "5.txt", "4.txt"])
    #expect(page.total == 8)
    listing.category = "odd"
    listing.offset = 0
    page = try documents.list(listing)
    #expect(page.files.map(\.filename) == ["5.txt", "3.txt", "1.txt"] && page.total == 3)
    listing.category = nil
    listing.status = .stored
    #expect(try documents.list(listing).files.map(\.filename) == ["x.bin"])
    listing.status = nil
    listing.contentType = "text/plain"
    #expect(try documents.list(listing).total == 7)
    #expect(try documents.list(Documents.Listing(owner: nil)).total == 9)
  }

  @Test func `text beyond the limit is stored and said to be left out`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder, textBytes: 40)
    let edge = Array("The first forty bytes are all looked at.".utf8)
    #expect(edge.count == 40)
    #expect(try !documents.add(edge, "edge.txt").file.truncated)
    let long = try documents.add(edge + Array(" Zebras come later.".utf8), "long.txt").file
    #expect(long.truncated && long.isIndexed && long.size == 59)
    #expect(try QueryEngineTests.ask(documents, "zebras").confidence == 0)
  }

  @Test func `a program in disguise is refused and leaves nothing`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    #expect(
      throws: UploadRefusal.disguised(claimed: "text/plain", found: "application/x-executable")
    ) {
      try documents.add(TypeSnifferTests.elf, "notes.txt", claimed: "text/plain")
    }
    #expect(Self.contents(folder).isEmpty)
    #expect(try documents.totals() == (0, 0, 0))
  }

  @Test func `many uploads and questions at once`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let texts = (0..<8).map { "The lamp of tower \($0) is lit at \($0) o'clock." }
    var threads: [pthread_t] = []
    final class Work: Sendable {
      let documents: Documents
      let text: String
      init(_ documents: Documents, _ text: String) {
        self.documents = documents
        self.text = text
      }
    }
    for text in texts {
      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work(documents, text)).toOpaque()
      pthread_create(
        &thread,
        nil,
        { raw in
          guard let raw else { return nil }
          let work = Unmanaged<Work>.fromOpaque(raw).takeRetainedValue()
          for number in 0..<5 {
            _ = try? work.documents.add(Array(work.text.utf8), "\(number).txt")
            _ = try? QueryEngineTests.ask(work.documents, "lamp tower")
          }
          return nil
        },
        work
      )
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
    #expect(try documents.totals().files == 40)
    #expect(Self.contents(folder).count == 8)
  }

  @Test func `a newer schema is refused with a sentence`() throws {
    let folder = Folder()
    let path = folder.path + "/d.sqlite"
    _ = try Database(
      path: path,
      schema: DatabaseSchema(steps: ["CREATE TABLE a (x)", "CREATE TABLE b (x)"])
    )
    #expect(throws: StorageError.newerSchema(found: 2, known: 1)) {
      try Database(path: path, schema: DatabaseSchema(steps: ["CREATE TABLE a (x)"]))
    }
    #expect(StorageError.newerSchema(found: 2, known: 1).description.contains("newer release"))
  }

  @Test func `a failed migration changes nothing`() throws {
    let folder = Folder()
    let path = folder.path + "/d.sqlite"
    let good = DatabaseSchema(steps: ["CREATE TABLE a (x)"])
    _ = try Database(path: path, schema: good)
    #expect(throws: StorageError.self) {
      try Database(
        path: path,
        schema: DatabaseSchema(steps: good.steps + ["CREATE TABLE b (x); NONSENSE"])
      )
    }
    let again = try Database(path: path, schema: good)
    let tables = try again.read { (connection) throws(StorageError) in
      try connection.rows("SELECT name FROM sqlite_schema") { $0.text(0) }
    }
    #expect(tables == ["a"])
  }

  @Test func `a statement past its deadline ends`() throws {
    let folder = Folder()
    let database = try Database(path: folder.path + "/d.sqlite", schema: DatabaseSchema(steps: []))
    #expect(throws: StorageError.timedOut) {
      try database.read(until: 1) { (connection) throws(StorageError) in
        try connection.first(
          "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        ) { $0.integer(0) }
      }
    }
    #expect(
      try database.read { (connection) throws(StorageError) in
        try connection.first("SELECT 'a' || char(0) || 'b'") { $0.text(0) }
      } == "a\u{0}b"
    )
  }

  @Test func `an error rolls the transaction back`() throws {
    let folder = Folder()
    let database = try Database(
      path: folder.path + "/d.sqlite",
      schema: DatabaseSchema(steps: ["CREATE TABLE a (x)"])
    )
    #expect(throws: StorageError.full) {
      try database.write { (connection) throws(StorageError) in
        try connection.run("INSERT INTO a VALUES (?)", [.integer(1)])
        throw StorageError.full
      }
    }
    let count = try database.read { (connection) throws(StorageError) in
      try connection.first("SELECT count(*) FROM a") { $0.count(0) }
    }
    #expect(count == 0)
  }
}
