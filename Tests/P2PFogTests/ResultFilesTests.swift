import GatewayPlugin
import Peering
import PluginStorage
import Testing

@testable import P2PFog

@Suite("Results and logs of jobs")
struct ResultFilesTests {
  @Test("paths that could lead elsewhere are refused, at every edge")
  func paths() {
    let names = { (count: Int) in Array(repeating: "d", count: count).joined(separator: "/") }
    let good = [
      "a", "a/b", "...", "..a", "a..", ".hidden", "a b", "ü/é", "a\\b", "~", "-rf",
      String(repeating: "x", count: 255), names(16),
    ]
    for path in good { #expect(ResultPath(path)?.text == path) }
    let bad = [
      "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "./a", "a/.", "a\0b",
      "a\nb", "\u{7F}", String(repeating: "x", count: 256), String(repeating: "ü", count: 128),
      names(17),
    ]
    for path in bad { #expect(ResultPath(path) == nil, "\(path.debugDescription)") }
    #expect(ResultPath("a/b/c")?.folders == ["a", "a/b"])
    #expect(ResultPath("a")?.folders == [])
  }

  /// A job that runs, and the call by which its node sends a piece.
  private struct Held {
    let bench: FogBench
    let job: FogJob
    let lease: String

    init(_ change: (inout FogSettings) -> Void = { _ in }) throws {
      bench = try FogBench(nodes: [ScriptedNode(1)], change)
      bench.nodes[0].manner = .hangs
      let submitted = try bench.submit([
        ("requirements", ["cpu_cores": 1, "memory_mb": 64, "disk_mb": 1]), ("inputs", ["data"]),
      ])
      try bench.run { [bench] in try bench.status(submitted.id) == .running }
      job = try bench.job(submitted.id)
      lease = try #require(job.lease)
    }

    @discardableResult
    func send(
      _ path: String,
      _ text: String,
      at offset: Int = 0,
      of whole: String? = nil,
      size: Int? = nil
    ) throws -> Int {
      let whole = whole ?? text
      let answer = try bench.send(
        bench.nodes[0].id,
        "fog.output",
        CallBody(
          [
            "lease_id": .string(lease), "path": .string(path), "offset": .integer(Int64(offset)),
            "size": .integer(Int64(size ?? whole.utf8.count)),
            "sha256": .string(SHA256.hexadecimal(of: whole)),
          ],
          bytes: Array(text.utf8)
        )
      )
      return Int(answer.json["offset"]?.asInteger ?? -1)
    }

    func code(_ body: () throws -> Void) -> String? {
      do {
        try body()
        return nil
      } catch CallFailure.refused(let code, _) {
        return code
      } catch {
        return "\(error)"
      }
    }

    @discardableResult
    func log(_ text: String, at offset: Int) throws -> Int {
      let head: JSON = [
        "lease_id": .string(lease), "offset": .integer(Int64(offset)), "stream": "stdout",
      ]
      let answer = try bench.send(
        bench.nodes[0].id,
        "fog.log",
        CallBody(head, bytes: Array(text.utf8))
      )
      return Int(answer.json["offset"]?.asInteger ?? -1)
    }

    func logText() throws -> String {
      guard let file = try bench.coordinator.results.openLog(job.id, lease) else { return "" }
      return String(decoding: try file.read(at: 0, count: 1 << 20), as: UTF8.self)
    }

    func finish(_ outcome: String = "succeeded") throws {
      let json: JSON = [
        "lease_id": .string(lease), "outcome": .string(outcome), "reason": "",
        "usage": Usage().json,
      ]
      _ = try bench.send(bench.nodes[0].id, "fog.finish", CallBody(json))
    }
  }

  @Test("pieces come in any order of tries and make one file; it is read as it was sent")
  func pieces() throws {
    let held = try Held()
    let whole = "hello world"
    #expect(try held.send("out/a.txt", "hello ", of: whole) == 6)
    #expect(try held.send("out/a.txt", "hello ", of: whole) == 6)
    #expect(try held.send("out/a.txt", "ld", at: 9, of: whole) == 6)
    #expect(held.code { try held.finish() } == "INCOMPLETE")
    #expect(try held.send("out/a.txt", "world", at: 6, of: whole) == 11)
    #expect(try held.send("out/a.txt", "world", at: 6, of: whole) == 11)
    #expect(try held.send("empty", "") == 0)
    try held.finish()
    let job = try held.bench.job(held.job.id)
    #expect(job.status == .completed)
    #expect(try held.bench.coordinator.resultFiles(job).map(\.path) == ["empty", "out/a.txt"])
    let path = try #require(ResultPath("out/a.txt"))
    let file = try held.bench.coordinator.results.open(job.id, held.lease, path)
    #expect(try file.read(at: 0, count: 100) == Array(whole.utf8))
    #expect(try held.bench.coordinator.deleteResults(job.id, owner: "ada") == 2)
    #expect(held.bench.folder.files("fog/results").isEmpty)
    #expect(try held.bench.coordinator.resultFiles(job).isEmpty)
  }

  @Test("a file of another digest is refused, and can be sent again from its beginning")
  func digests() throws {
    let held = try Held()
    #expect(held.code { try held.send("a", "hallo", of: "hello") } == "DIGEST_MISMATCH")
    #expect(try held.send("a", "hello") == 5)
    // Sent anew with other bytes, it is another file.
    #expect(try held.send("a", "s", at: 5, of: "others") == 0)
    #expect(try held.send("a", "others") == 6)
    try held.finish()
    let files = try held.bench.coordinator.resultFiles(try held.bench.job(held.job.id))
    #expect(files.map(\.size) == [6])
  }

  @Test("a path that is refused ends nothing, and a file cannot be where a folder is")
  func refusedPieces() throws {
    let held = try Held()
    for path in ["../a", "/etc/passwd", "a/../../b", "a\0"] {
      #expect(held.code { try held.send(path, "x") } == "VALIDATION_ERROR")
    }
    #expect(held.code { try held.send("a", "xy", size: 1) } == "VALIDATION_ERROR")
    #expect(held.code { try held.send("a", "x", at: 1, size: 1) } == "VALIDATION_ERROR")
    try held.send("a/b", "x")
    #expect(held.code { try held.send("a", "x") } == "VALIDATION_ERROR")
    #expect(held.code { try held.send("a/b/c", "x") } == "VALIDATION_ERROR")
    #expect(try held.bench.status(held.job.id) == .running)
    #expect(held.bench.folder.files("fog/results").count == 1)
  }

  @Test("more output than the quota ends the job, exactly as much does not")
  func quota() throws {
    let held = try Held()
    let half = String(repeating: "x", count: 1 << 19)
    // The quota is the job's disk: a megabyte.
    let piece = String(repeating: "x", count: 1 << 18)
    for path in ["a", "b"] {
      #expect(try held.send(path, piece, of: half) == 1 << 18)
      #expect(try held.send(path, piece, at: 1 << 18, of: half) == 1 << 19)
    }
    #expect(held.code { try held.send("c", "x") } == "QUOTA")
    let job = try held.bench.job(held.job.id)
    #expect(job.status == .failed && job.reason.hasPrefix("quota: "))
    #expect(held.code { try held.send("d", "") } == "LEASE_LOST")
  }

  @Test("more files than allowed end the job")
  func fileCount() throws {
    let held = try Held { $0.maxOutputFiles = 2 }
    try held.send("a", "")
    try held.send("b", "")
    #expect(held.code { try held.send("c", "") } == "QUOTA")
    #expect(try held.bench.status(held.job.id) == .failed)
  }

  @Test(
    "a log goes on where it was, repeats are passed over, and what is too much is cut with a line"
  )
  func logs() throws {
    let held = try Held { $0.maxLogBytes = 1024 }
    #expect(try held.log("one\n", at: 0) == 4)
    #expect(try held.log("one\n", at: 0) == 4)
    #expect(try held.log("one\ntwo\n", at: 0) == 8)
    #expect(try held.log("four\n", at: 13) == 8)
    #expect(try held.logText() == "one\ntwo\n")
    #expect(try held.log(String(repeating: "x", count: 1015), at: 8) == 1023)
    #expect(try held.log("yz", at: 1023) == 1025)
    #expect(try held.log("more", at: 1025) == 1029)
    let text = try held.logText()
    #expect(text.hasSuffix("xy\n[the log is cut here: 1024 bytes are kept]\n"))
    #expect(text.utf8.count < 1100)
    #expect(
      held.code { try held.log(String(repeating: "x", count: 65_537), at: 1029) }
        == "VALIDATION_ERROR"
    )
  }

  @Test("inputs are given in pieces to the node that holds the lease, and to nobody else")
  func inputs() throws {
    let held = try Held()
    func ask(_ file: String, _ peer: PeerID, length: Int = 4) throws -> CallBody {
      try held.bench.send(
        peer,
        "fog.input",
        CallBody([
          "lease_id": .string(held.lease), "file_id": .string(file), "offset": 3,
          "length": .integer(Int64(length)),
        ])
      )
    }
    let node = held.bench.nodes[0].id
    let piece = try ask("data", node)
    #expect(piece.bytes == Array("3456".utf8) && piece.json["size"] == 10)
    #expect(held.code { _ = try ask("bundle", node) } == "VALIDATION_ERROR")
    #expect(held.code { _ = try ask("data", node, length: 262_145) } == "VALIDATION_ERROR")
    #expect(held.code { _ = try ask("data", ScriptedNode(2).id) } == "LEASE_LOST")
    // The other plugin is away: no answer, so the node asks again.
    held.bench.shared.withLock { $0.filesRefusal = .busy }
    #expect(held.code { _ = try ask("data", node) } == "timeout")
    held.bench.shared.withLock { $0.filesRefusal = nil }
    // Its owner deletes it: the job fails, and nobody's trust does.
    held.bench.files["data"] = nil
    #expect(held.code { _ = try ask("data", node) } == "LEASE_LOST")
    let job = try held.bench.job(held.job.id)
    #expect(job.status == .failed && job.reason.hasPrefix("input: ") && job.losses.isEmpty)
  }

  @Test("what a lost lease has sent is dropped, and its calls are refused")
  func lostLease() throws {
    let held = try Held { $0.leaseSeconds = 3 }
    try held.send("a", "partial", of: "partial result")
    held.bench.nodes[0].manner = .dead
    try held.bench.run { try held.bench.job(held.job.id).lease != held.lease }
    held.bench.coordinator.keepHouse()
    #expect(held.bench.folder.files("fog/results").isEmpty)
    #expect(held.code { try held.send("a", "x") } == "LEASE_LOST")
    #expect(held.code { try held.log("x", at: 0) } == "LEASE_LOST")
    #expect(held.code { try held.finish() } == "LEASE_LOST")
  }

  @Test("jobs beyond what is kept are forgotten with their files, once they are settled")
  func retention() throws {
    let bench = try FogBench { $0.keptJobsPerUser = 2 }
    var jobs: [String] = []
    for _ in 0..<4 {
      jobs.append(try bench.submit().id)
      try bench.run { try bench.status(jobs[jobs.count - 1]) == .completed }
    }
    try bench.run { bench.ledger.openLocks == 0 }
    // One that the ledger has not yet is kept, however old.
    let first = jobs[0]
    try bench.coordinator.database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        "UPDATE fog_settlements SET state = 'waiting' WHERE job = ?",
        [.text(first)]
      )
    }
    bench.coordinator.forget()
    #expect(try bench.coordinator.list(Coordinator.Listing()).total == 3)
    _ = bench.coordinator.settle()
    bench.coordinator.forget()
    #expect(try bench.coordinator.list(Coordinator.Listing()).jobs.map(\.id) == [jobs[3], jobs[2]])
    #expect(bench.folder.files("fog/results").count == 2)
    #expect(bench.folder.files("fog/logs").count == 2)
  }
}
