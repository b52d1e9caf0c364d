import GatewayPlugin
import PluginStorage
import Testing
import Wire

@testable import Utilities

@Suite("The service that lends files to other plugins")
struct FileServiceTests {
  private let folder = Folder()
  private let service: FileService
  private let file: FileRecord
  private let text = Array("The quick brown fox".utf8)

  init() throws {
    let documents = try Documents.temporary(folder)
    file = try documents.add(text, "fox.txt").file
    service = FileService(documents)
  }

  private func read(_ offset: Int64, _ length: Int64, subject: String = "ada") throws -> [UInt8]? {
    let argument: JSON = [
      "file_id": .string(file.id), "offset": .integer(offset), "length": .integer(length),
    ]
    let answer = try service.answer("read", argument, subject: subject)
    #expect(answer["size"] == .integer(Int64(text.count)))
    let data = Array(try #require(answer["data"]?.asString).utf8)
    return Base64.decode(data.span)
  }

  @Test("describe gives what a reader needs to know")
  func describes() throws {
    let answer = try service.answer("describe", ["file_id": .string(file.id)], subject: "ada")
    #expect(
      answer == [
        "file_id": .string(file.id), "filename": "fox.txt", "size": 19,
        "content_type": "text/plain", "sha256": .string(file.sha256),
      ]
    )
  }

  @Test("read gives any part, and nothing behind the end")
  func reads() throws {
    #expect(try read(0, 19) == text)
    #expect(try read(4, 5) == Array("quick".utf8))
    #expect(try read(16, 100) == Array("fox".utf8))
    #expect(try read(18, 1) == Array("x".utf8))
    #expect(try read(19, 1) == [])
    #expect(try read(.max, 1) == [])
    #expect(try read(0, Int64(FileService.maxReadBytes)) == text)
  }

  @Test("another's file, an unknown one and no subject are not found")
  func isPrivate() {
    #expect(throws: HostRefusal.notFound) { try read(0, 1, subject: "bob") }
    #expect(throws: HostRefusal.notFound) { try read(0, 1, subject: "") }
    for id in ["", "x", "00000000-0000-4000-8000-000000000000"] {
      #expect(throws: HostRefusal.notFound) {
        try service.answer("describe", ["file_id": .string(id)], subject: "ada")
      }
    }
  }

  @Test("a length of 0, one past the limit and a negative offset are refused")
  func isBounded() {
    for (offset, length) in [(0, 0), (0, Int64(FileService.maxReadBytes) + 1), (-1, 1)] {
      #expect(throws: HostRefusal.argument) { try read(Int64(offset), length) }
    }
    #expect(throws: HostRefusal.argument) { try service.answer("describe", [:], subject: "ada") }
    #expect(throws: HostRefusal.argument) {
      try service.answer("read", ["file_id": .string(file.id)], subject: "ada")
    }
    #expect(throws: HostRefusal.unsupported("utilities.files write")) {
      try service.answer("write", ["file_id": .string(file.id)], subject: "ada")
    }
  }
}
