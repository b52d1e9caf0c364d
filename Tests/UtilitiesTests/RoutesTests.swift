import GatewayPlugin
import PluginStorage
import Testing

@testable import Utilities

@Suite("What routes read and answer")
struct RoutesTests {
  static let tag = "\"abc\""

  static func select(
    _ range: String? = nil,
    ifNoneMatch: String? = nil,
    ifRange: String? = nil,
    size: Int = 100
  ) -> FileContent.Selection {
    FileContent.select(
      tag: tag,
      size: size,
      ifNoneMatch: ifNoneMatch,
      ifRange: ifRange,
      range: range
    )
  }

  @Test func `ranges and conditions`() {
    #expect(Self.select() == .whole)
    #expect(Self.select("bytes=0-0") == .part(0..<1))
    #expect(Self.select("bytes=90-") == .part(90..<100))
    #expect(Self.select("bytes=-10") == .part(90..<100))
    #expect(Self.select("bytes=0-1000") == .part(0..<100))
    #expect(Self.select("bytes=99-99") == .part(99..<100))
    #expect(Self.select("bytes=100-") == .unsatisfiable)
    #expect(Self.select("bytes=0-", size: 0) == .unsatisfiable)
    #expect(Self.select("bytes=0-1,5-6") == .whole)
    #expect(Self.select("lines=1-2") == .whole)
    #expect(Self.select("bytes=0-1", ifRange: "\"abc\"") == .part(0..<2))
    #expect(Self.select("bytes=0-1", ifRange: "\"old\"") == .whole)
    #expect(Self.select("bytes=0-1", ifRange: "W/\"abc\"") == .whole)
    #expect(Self.select("bytes=0-1", ifNoneMatch: "\"x\", W/\"abc\"") == .notModified)
    #expect(Self.select(ifNoneMatch: "*") == .notModified)
    #expect(Self.select(ifNoneMatch: "\"x\"") == .whole)
  }

  static func question(_ text: String) throws -> (QueryEngine.Request, includesSources: Bool) {
    var fields = Fields(try JSON.parse(text))
    let read = QueryEngine.Request.read(&fields, owner: "ada")
    try fields.finish()
    return read
  }

  @Test func `a question's defaults`() throws {
    let (request, includesSources) = try Self.question("{\"query\": \"x\"}")
    #expect(request.mode == .comprehensive && request.maxResults == 10 && includesSources)
    #expect(request.filter == .init(owner: "ada") && request.leastRelevance == 0)
  }

  @Test func `a question's bounds hold at their edges`() throws {
    let long = String(repeating: "x", count: 5000)
    #expect(try Self.question("{\"query\": \"\(long)\", \"max_results\": 50}").0.maxResults == 50)
    #expect(try Self.question("{\"query\": \"x\", \"max_results\": 1}").0.maxResults == 1)
    for bad in [
      "{}", "{\"query\": \"\"}", "{\"query\": \"\(long)x\"}", "{\"query\": 1}",
      "{\"query\": \"x\", \"max_results\": 0}", "{\"query\": \"x\", \"max_results\": 51}",
      "{\"query\": \"x\", \"mode\": \"turbo\"}", "{\"query\": \"x\", \"include_sources\": 1}",
      "{\"query\": \"x\", \"filters\": {\"confidence_threshold\": 1.1}}",
      "{\"query\": \"x\", \"filters\": {\"nonsense\": 1}}", "{\"query\": \"x\", \"nonsense\": 1}",
      "{\"query\": \"x\", \"model_id\": \"\"}",
    ] {
      #expect(throws: Failure.self, "\(bad)") { try Self.question(bad) }
    }
  }

  @Test func `all bad fields are named at once`() throws {
    let error = #expect(throws: Failure.self) {
      try Self.question(
        """
        {"query": "", "max_results": 51, "mode": "x", "filters": {"tags": 1, "category": ""}}
        """
      )
    }
    #expect(error?.status == 422)
    #expect(
      error?.details?.asArray?.compactMap { $0["field"]?.asString }
        == ["query", "max_results", "mode", "filters.category", "filters.tags"]
    )
  }

  @Test(arguments: QueryMode.allCases)
  func `a model is for two of the modes`(_ mode: QueryMode) throws {
    let text = "{\"query\": \"x\", \"mode\": \"\(mode.rawValue)\", \"model_id\": \"m\"}"
    if mode == .comprehensive || mode == .creative {
      #expect(try Self.question(text).0.model == "m")
    } else {
      let error = #expect(throws: Failure.self) { try Self.question(text) }
      #expect(error?.details?.asArray?.first?["field"] == "model_id")
    }
  }

  @Test func `a model phrases what was found, and the cited answer stays as it is`() throws {
    let folder = Folder()
    let documents = try QueryEngineTests.library(folder)
    let question = QueryEngine.Request(query: "swarming", filter: .init(owner: "ada"))
    let reply = try QueryEngine(database: documents.database).answer(question)
    let best = try #require(reply.sources.first).hit.passage.body
    let phrasing = Phrasing { argument, subject throws(HostRefusal) in
      let prompt = argument["prompt"]?.asString ?? ""
      // The best passage last, so that it survives a short context.
      let isWhole = prompt.hasSuffix(best + "\n\nQuestion: swarming\nAnswer:")
      return [
        "text": .string("\(subject) \(isWhole)"), "finish_reason": "stop", "truncated": false,
      ]
    }
    let phrased = try phrasing.phrase(reply, to: "swarming", model: "m", subject: "ada")
    #expect(
      phrased == [
        "text": "ada true", "model_id": "m", "finish_reason": "stop", "truncated": false,
      ]
    )
    let plain = reply.json(to: question, includesSources: true, took: .zero)
    let both = reply.json(to: question, includesSources: true, phrased: phrased, took: .zero)
    #expect(both["phrased_answer"] == phrased && plain["phrased_answer"] == nil)
    #expect(both["answer"] == plain["answer"] && both["sources"] == plain["sources"])
    let nothing = Reply.nothing(because: "")
    #expect(try phrasing.phrase(nothing, to: "x", model: "m", subject: "ada") == .null)
  }

  @Test(arguments: [
    (HostRefusal.notFound, UInt16(422)), (.unsupported("gw.services/1"), 422), (.denied, 422),
    (.timeout, 503), (.busy, 503), (.failed(-1), 503),
  ])
  func `a model that cannot be asked is told, with the field`(
    _ refusal: HostRefusal,
    _ status: UInt16
  ) throws {
    let folder = Folder()
    let documents = try QueryEngineTests.library(folder)
    let question = QueryEngine.Request(query: "swarming", filter: .init(owner: "ada"))
    let reply = try QueryEngine(database: documents.database).answer(question)
    let refusing = Phrasing { _, _ throws(HostRefusal) in throw refusal }
    let failure = #expect(throws: Failure.self) {
      try refusing.phrase(reply, to: "x", model: "m", subject: "ada")
    }
    #expect(failure?.status == status && failure?.message.contains("model_id") == true)
    for (code, answered) in ["RESOURCE_NOT_FOUND": 404, "VALIDATION_ERROR": 422, "": 503]
      as [String: UInt16]
    {
      let telling = Phrasing { _, _ throws(HostRefusal) in
        ["error": ["code": .string(code), "message": "There is no model m."]]
      }
      let failure = #expect(throws: Failure.self) {
        try telling.phrase(reply, to: "x", model: "m", subject: "ada")
      }
      #expect(failure?.status == answered && failure?.message.contains("model_id") == true)
    }
  }

  @Test func `an answer without sources numbers nothing`() throws {
    let folder = Folder()
    let documents = try QueryEngineTests.library(folder)
    let question = QueryEngine.Request(query: "swarming", filter: .init(owner: "ada"))
    let reply = try QueryEngine(database: documents.database).answer(question)
    let bare = reply.json(to: question, includesSources: false, took: .milliseconds(2))
    #expect(bare["sources"] == [])
    #expect(bare["answer"]?.asString?.contains("[1]") == false)
    #expect(bare["processing_time_ms"] == .number(2))
    let full = reply.json(to: question, includesSources: true, took: .zero)
    let source = try #require(full["sources"]?.asArray?.first)
    #expect(source["position"]?["section"] == "Keeping bees › Swarming")
    #expect(source["title"] == "Keeping bees & making honey")
    #expect(source["metadata"]?["filename"] == "beekeeping.html")
  }

  @Test func `metadata gives category and tags, and keeps the rest`() {
    var labels = UploadLabels(owner: "ada", filename: "a")
    #expect(
      labels.read(Array("{\"category\": \"c\", \"tags\": [\"t\"], \"privacy_level\": 2}".utf8))
        == []
    )
    #expect(labels.category == "c" && labels.tags == ["t"])
    #expect(labels.metadata == ["privacy_level": 2])
    for (text, field) in [
      ("{", "metadata"), ("[]", "metadata"), ("null", "metadata"),
      ("{\"category\": 1}", "metadata.category"), ("{\"tags\": [\"\"]}", "metadata.tags[0]"),
    ] {
      #expect(labels.read(Array(text.utf8)).map(\.field) == [field], "\(text)")
    }
  }

  @Test func `a file's answer has the original's fields and more`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let json = try documents.add(document: "handbook.md").json
    for name in [
      "file_id", "filename", "size", "content_type", "status", "user_id", "sha256", "indexed",
      "index", "download_url", "uploaded_at", "type_matches",
    ] {
      #expect(json[name] != nil, "\(name)")
    }
    #expect(json["status"] == "processed" && json["indexed"] == true)
    #expect(json["title"] == "Handbook of the Hollow Creek Library")
    #expect(json["index"]?["chunks"]?.asInteger ?? 0 > 4)
  }
}
