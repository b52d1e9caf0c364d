import Glibc
import Testing

@testable import Gateway

@Suite("Libraries: inspected, copied, opened, unmapped")
struct PluginLibraryTests {
  private func bytes(_ fixture: String) throws -> [UInt8] {
    try FileBytes.read(try Fixtures.library(fixture), limit: 1 << 24)
  }

  private func image(_ bytes: [UInt8]) throws -> ELFImage { try ELFImage(bytes.span) }

  @Test func `an ELF image tells its entry and its ties`() throws {
    let good = try image(try bytes("good"))
    #expect(good.hasEntry)
    #expect(good.ties.isEmpty)
    #expect(good.needed.contains("libc.so.6"))
    #expect(!(try image(try bytes("no_entry"))).hasEntry)
  }

  @Test func `a damaged image is refused at every cut, never read past its end`() throws {
    let whole = try bytes("no_entry")
    for count in stride(from: 0, to: whole.count, by: 7) {
      // A cut in the code or the debug part is no fault of the tables; reading must only stay inside.
      _ = try? image(Array(whole.prefix(count)))
    }
    #expect(throws: ELFImage.Refusal.notELF) { try image(Array("#!/bin/sh".utf8)) }
    #expect(throws: ELFImage.Refusal.truncated) { try image(Array(whole.prefix(63))) }
    var other = whole
    other[18] = 40
    #expect(throws: ELFImage.Refusal.otherMachine(40)) { try image(other) }
    var program = whole
    program[16] = 2
    #expect(throws: ELFImage.Refusal.notShared(2)) { try image(program) }
    var small = whole
    small[4] = 1
    #expect(throws: ELFImage.Refusal.notSixtyFourBit) { try image(small) }
  }

  @Test func `forged tables are refused`() throws {
    let whole = try bytes("no_entry")
    for offset in 40..<64 {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var forged = whole
        forged[offset] = value
        _ = try? image(forged)
      }
    }
  }

  @Test func `each opening is a copy of its own, and closing unmaps it`() throws {
    var template = Array("/tmp/gateway-library-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) },
      as: UTF8.self
    )
    defer { Directory.removeAll(directory) }
    let stage = try GenerationStage(dataDirectory: directory)
    let source = try Fixtures.library("good")
    let one = try PluginLibrary(source: source, label: "good", stage: stage)
    let two = try PluginLibrary(source: source, label: "good", stage: stage)
    #expect(one.copy.path != two.copy.path)
    #expect(one.copy.digest == two.copy.digest)
    let places = [one, two].map { UInt(bitPattern: $0.descriptor) }
    #expect(places[0] != places[1])
    #expect(try maps().contains(one.copy.path))
    #expect(one.close() == .unloaded)
    #expect(!(try maps().contains(one.copy.path)))
    #expect(two.close(obstacle: "a test") == .retired(reason: "a test"))
    #expect(Directory.names(in: "\(directory)/generations").isEmpty)
  }

  @Test func `copies of ended processes are removed at start`() throws {
    var template = Array("/tmp/gateway-stage-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(
      decoding: template.dropLast().map { UInt8(bitPattern: $0) },
      as: UTF8.self
    )
    defer { Directory.removeAll(directory) }
    let generations = "\(directory)/generations"
    mkdir(generations, 0o700)
    // No process has the largest number: Linux stops at 4,194,304.
    for name in ["x-0a-2147483647-1.so", "x-0a-1-1.so", "notes"] {
      close(open("\(generations)/\(name)", O_CREAT | O_WRONLY, 0o600))
    }
    _ = try GenerationStage(dataDirectory: directory)
    #expect(Directory.names(in: generations) == ["notes", "x-0a-1-1.so"])
  }

  private func maps() throws -> String {
    String(decoding: try FileBytes.read("/proc/self/maps", limit: 1 << 24), as: UTF8.self)
  }
}
