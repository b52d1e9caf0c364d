import GatewayPlugin
import Glibc
import PluginStorage
import Testing

@testable import AgentForge

@Suite("Checkpoints")
struct CheckpointStoreTests {
  static func checkpoint(_ step: Int64, count: Int = 3) -> Checkpoint {
    let (one, other) = (Floats(count), Floats(0))
    for index in 0..<count { one[index] = Float(step) + Float(index) / 3 }
    return Checkpoint(
      state: ["step": .integer(step), "text": "é\n"],
      tensors: [("one", one), ("empty", other)]
    )
  }

  static func step(_ reading: CheckpointStore.Reading?) -> Int64? {
    reading?.checkpoint.state["step"]?.asInteger
  }

  @Test("a checkpoint comes back bit for bit")
  func aCheckpointComesBack() throws {
    let folder = TemporaryFolder()
    let store = try CheckpointStore(directory: folder.path)
    let nothing = try store.read(run: "r")
    #expect(nothing == nil)
    let written = Self.checkpoint(7)
    written.tensors[0].values[1] = .nan
    try store.write(written, run: "r")
    let account = MemoryAccount()
    let reading = try #require(try store.read(run: "r", account))
    #expect(reading.refused.isEmpty && account.current == 12)
    #expect(reading.checkpoint.state == written.state)
    #expect(reading.checkpoint.tensors.map(\.name) == ["one", "empty"])
    for (found, wanted) in zip(reading.checkpoint.tensors, written.tensors) {
      #expect(found.values.array.map(\.bitPattern) == wanted.values.array.map(\.bitPattern))
    }
    try store.remove(run: "r")
    try store.remove(run: "r")
    #expect(folder.files.isEmpty)
  }

  @Test("the last two of a run are kept, and the newest is read")
  func theLastTwoAreKept() throws {
    let folder = TemporaryFolder()
    for step in 1...11 {
      let store = try CheckpointStore(directory: folder.path)
      try store.write(Self.checkpoint(Int64(step)), run: "r")
      #expect(Self.step(try store.read(run: "r")) == Int64(step))
    }
    try CheckpointStore(directory: folder.path).write(Self.checkpoint(5), run: "other")
    #expect(
      folder.files == [
        "runs/other/checkpoint-1.safetensors", "runs/r/checkpoint-10.safetensors",
        "runs/r/checkpoint-11.safetensors",
      ]
    )
  }

  @Test("a checkpoint with any byte changed, or cut at any byte, is refused")
  func anyChangedByteIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/x"
    try CheckpointFile.write(Self.checkpoint(1), to: path)
    let whole = folder.read("x")
    #expect(throws: Never.self) { try CheckpointFile.read(path) }
    for index in whole.indices {
      var bytes = whole
      bytes[index] ^= UInt8(1) << (index % 8)
      folder.write("x", bytes)
      #expect(throws: SafetensorsError.self, "\(index)") { try CheckpointFile.read(path) }
      folder.write("x", Array(whole[..<index]))
      #expect(throws: SafetensorsError.self, "\(index)") { try CheckpointFile.read(path) }
    }
  }

  @Test("instead of a corrupt checkpoint the one before it is used, and the reason told")
  func theOneBeforeACorruptOneIsUsed() throws {
    let folder = TemporaryFolder()
    let store = try CheckpointStore(directory: folder.path)
    for step in 1...3 { try store.write(Self.checkpoint(Int64(step)), run: "r") }
    let newest = "runs/r/checkpoint-3.safetensors"
    var bytes = folder.read(newest)
    bytes[bytes.count - 1] ^= 1
    folder.write(newest, bytes)
    let reading = try store.read(run: "r")
    #expect(Self.step(reading) == 2)
    #expect(reading?.refused.count == 1)
    #expect(reading?.refused.first?.hasPrefix("checkpoint 3: the content") == true)
    // The corrupt one does not push out a whole one.
    try store.write(Self.checkpoint(4), run: "r")
    let left = folder.files
    #expect(
      left == ["runs/r/checkpoint-2.safetensors", "runs/r/checkpoint-3.safetensors"]
    )
    #expect(Self.step(try store.read(run: "r")) == 4)
    for name in left { folder.write(name, [1, 2, 3]) }
    let error = #expect(throws: CheckpointError.self) { try store.read(run: "r") }
    #expect(error?.reasons.count == 2)
  }

  @Test("a full disk leaves the last good checkpoint and nothing half-written")
  func aFullDiskLeavesTheLastGoodOne() throws {
    let folder = TemporaryFolder()
    let store = try CheckpointStore(directory: folder.path)
    try store.write(Self.checkpoint(1), run: "r")
    // What is written under the temporary name goes to a device that is always full.
    symlink("/dev/full", folder.path + "/runs/r/checkpoint.partial")
    #expect(throws: StorageError.full) { try store.write(Self.checkpoint(2), run: "r") }
    #expect(folder.files == ["runs/r/checkpoint-1.safetensors"])
    #expect(Self.step(try store.read(run: "r")) == 1)
    try store.write(Self.checkpoint(3), run: "r")
    #expect(Self.step(try store.read(run: "r")) == 3)
  }

  @Test("what a crash left half-written is written over")
  func leftoversAreWrittenOver() throws {
    let folder = TemporaryFolder()
    let store = try CheckpointStore(directory: folder.path)
    try store.write(Self.checkpoint(1), run: "r")
    folder.write("runs/r/checkpoint.partial", [UInt8](repeating: 1, count: 10_000))
    #expect(Self.step(try store.read(run: "r")) == 1)
    try store.write(Self.checkpoint(2), run: "r")
    #expect(Self.step(try store.read(run: "r")) == 2)
    #expect(folder.files.count == 2)
  }
}
