import Glibc
import Testing

@testable import P2PFog

@Suite(
  "The sandbox",
  .serialized,
  .enabled(if: WorkerBench.refusal == nil, "\(WorkerBench.refusal?.description ?? "")")
)
struct SandboxTests {
  @Test("a command runs in its work folder, as nobody, with an environment of its own")
  func aCommandRuns() throws {
    let bench = try WorkerBench()
    bench.begin()
    let script = """
      pwd; id -u; echo "$GREETING $HOME"; env | sort | cut -d= -f1 | tr '\\n' ' '; echo; cat inputs/data.txt
      echo trouble >&2; mkdir -p outputs/deep; printf result > outputs/deep/file; exit 3
      """
    let end = try bench.run(
      script,
      environment: ["GREETING": "hello"],
      files: [("data.txt", Array("some data\n".utf8))]
    )
    #expect(end.outcome == "failed" && end.exitCode == 3)
    #expect(end.reason == "exit: the command ended with code 3")
    let said = bench.coordinator.text("lease")
    #expect(
      said == "/work\n65534\nhello /work\nGREETING HOME LC_ALL PATH PWD TMPDIR \nsome data\n"
    )
    #expect(bench.coordinator.text("lease", "stderr") == "trouble\n")
    #expect(bench.coordinator.output("lease", "deep/file") == Array("result".utf8))
    #expect(
      bench.coordinator.book.withLock { $0.digests["lease/deep/file"] }
        == BundleBuilder.sha256(Array("result".utf8))
    )
    #expect(end.usage.memoryPeakMegabytes > 0 && end.usage.wallMilliseconds > 0)
    #expect(end.usage.outputBytes == 6)
    #expect(bench.folder.all == ["leases"])
  }
}
