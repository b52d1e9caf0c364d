import PluginStorage
import Testing

@testable import GatewayPlugin
@testable import Utilities

@Suite("An upload as it arrives")
struct UploadTests {
  static let type = "multipart/form-data; boundary=b0"

  static func form(_ parts: (head: String, body: String)...) -> [UInt8] {
    Array(
      (parts.map { "--b0\r\nContent-Disposition: form-data; \($0.head)\r\n\r\n\($0.body)\r\n" }
        .joined() + "--b0--\r\n").utf8
    )
  }

  static let file = (head: "name=\"file\"; filename=\"../a.txt\"", body: "The bell rings at noon.")

  /// Sends `bytes` in pieces, as the host would.
  static func send(
    _ documents: Documents,
    _ bytes: [UInt8],
    piece: Int = .max,
    isWhole: Bool = true,
    _ change: (inout UtilitiesSettings) -> Void = { _ in }
  ) throws -> Response {
    var settings = UtilitiesSettings()
    settings.minFreeBytes = 0
    change(&settings)
    let upload = try Upload(
      Upload.Head(contentType: type, length: nil, owner: "ada"),
      documents,
      settings
    ) { _ in }
    do {
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + min(piece, bytes.count))
        try upload.receive(Array(bytes[start..<end]).span)
        start = end
      }
      if isWhole { return try upload.finish() }
      upload.abandoned()
      return .data(.null)
    } catch {
      upload.abandoned()
      throw error
    }
  }

  @Test func `a file arrives the same in pieces of every size`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let bytes = Self.form(Self.file, ("name=\"metadata\"", "{\"category\": \"c\"}"))
    for piece in [1, 2, 3, 7, 64, .max] {
      let response = try Self.send(documents, bytes, piece: piece)
      #expect(response.message == "File uploaded and processed successfully")
      guard case .data(let json) = response.body else { throw Failure.badRequest("no data") }
      #expect(json["filename"] == "a.txt" && json["size"] == 23 && json["category"] == "c")
      #expect(json["duplicate"] == .bool(piece != 1))
    }
    #expect(DocumentsTests.contents(folder).count == 1)
  }

  @Test func `an upload cut off at any byte leaves nothing`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let bytes = Self.form(Self.file)
    for count in 0..<bytes.count {
      _ = try Self.send(documents, Array(bytes.prefix(count)), isWhole: false)
      #expect(DocumentsTests.contents(folder).isEmpty)
    }
    // The last boundary is complete two bytes before the end.
    for count in 0..<(bytes.count - 2) {
      #expect(throws: Failure.self) { try Self.send(documents, Array(bytes.prefix(count))) }
      #expect(DocumentsTests.contents(folder).isEmpty)
    }
    #expect(try documents.totals() == (0, 0, 0))
  }

  @Test func `the size limit holds at its edge`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    _ = try Self.send(documents, Self.form(Self.file)) { $0.maxUploadBytes = 23 }
    let error = #expect(throws: Failure.self) {
      try Self.send(documents, Self.form(Self.file)) { $0.maxUploadBytes = 22 }
    }
    #expect(error?.status == 413)
    #expect(DocumentsTests.contents(folder).count == 1)
  }

  @Test func `every fault of a form is named at once`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let error = #expect(throws: Failure.self) {
      try Self.send(
        documents,
        Self.form(
          ("name=\"other\"", "x"),
          ("name=\"metadata\"", "{\"tags\": 1, \"category\": \"\"}")
        )
      )
    }
    #expect(error?.status == 422)
    #expect(
      error?.details?.asArray?.compactMap { $0["field"]?.asString }
        == ["other", "file", "metadata.category", "metadata.tags"]
    )
    for head in ["name=\"file\"; filename=\"\"", "name=\"file\"", "name=\"file\"; filename=\"..\""]
    {
      let error = #expect(throws: Failure.self) {
        try Self.send(documents, Self.form((head, "x")))
      }
      #expect(error?.status == 422)
    }
    #expect(DocumentsTests.contents(folder).isEmpty)
  }

  @Test func `metadata is bounded`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    func metadata(_ count: Int) -> String {
      "{\"a\":\"" + String(repeating: "x", count: count - 8) + "\"}"
    }
    let limit = Upload.maxMetadataBytes
    _ = try Self.send(
      documents,
      Self.form(Self.file, ("name=\"metadata\"", metadata(limit)))
    )
    #expect(throws: Failure.self) {
      try Self.send(
        documents,
        Self.form(Self.file, ("name=\"metadata\"", metadata(limit + 1)))
      )
    }
  }

  @Test func `what is no form is refused before its body`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    for (type, status) in [
      ("", 415), ("text/plain", 415), ("multipart/form-data", 400),
      ("multipart/form-data; boundary=", 415),
    ] {
      let error = #expect(throws: Failure.self, "\(type)") {
        try Upload(
          Upload.Head(contentType: type, length: nil, owner: "ada"),
          documents,
          UtilitiesSettings()
        ) { _ in }
      }
      #expect(error?.status == UInt16(status), "\(type)")
    }
  }

  @Test func `a full disk is said before the body`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let error = #expect(throws: Failure.self) {
      try Self.send(documents, Self.form(Self.file)) { $0.minFreeBytes = 1 << 50 }
    }
    #expect(error?.status == 507 && error?.code == "STORAGE_FULL")
  }

  @Test func `settings that are unknown or out of bounds are refused, each by name`() throws {
    #expect(try UtilitiesSettings(Settings(json: [:])) == UtilitiesSettings())
    #expect(try UtilitiesSettings(Settings(json: ["max_upload_bytes": 1])).maxUploadBytes == 1)
    let error = #expect(throws: PluginFailure.self) {
      try UtilitiesSettings(
        Settings(json: ["max_upload_bytes": 0, "pdf_timeout_seconds": "x", "colour": 1])
      )
    }
    for name in ["max_upload_bytes", "pdf_timeout_seconds", "colour"] {
      #expect(error?.description.contains(name) == true)
    }
  }
}
