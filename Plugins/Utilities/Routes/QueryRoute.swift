package import GatewayPlugin
import PluginStorage
import StorageAnswers

/// `POST /v1/query`.
struct QueryRoute {
  let documents: Documents
  let phrasing: Phrasing
  /// Told of each answer: its mode, and how long it took.
  let answered: @Sendable (QueryMode, Duration) -> Void

  var route: Route {
    .post(
      "/v1/query",
      scope: .read,
      summary: "Ask a question about your documents",
      body: Self.body,
      answer: Self.answer
    ) { [documents, phrasing, answered] request in
      let owner = request.caller.subject
      let (question, includesSources) = try request.validate { fields in
        QueryEngine.Request.read(&fields, owner: owner)
      }
      let start = Clock.monotonic()
      let reply = try answering { () throws(StorageError) in
        try QueryEngine(database: documents.database).answer(question)
      }
      let phrased = try question.model.map { model throws(Failure) in
        try phrasing.phrase(reply, to: question.query, model: model, subject: owner)
      }
      let took = Duration.nanoseconds(Int64(Clock.monotonic() - start))
      answered(question.mode, took)
      return .data(
        reply.json(to: question, includesSources: includesSources, phrased: phrased, took: took),
        message: "Query processed successfully"
      )
    }
  }

  private static let modes = QueryMode.allCases.map(\.rawValue)

  private static let body = Schema.object(
    [
      "query": .string("The question; quoted phrases are looked for as such", 1...5000),
      "max_results": .integer("Sources at most", 1...50, default: 10),
      "include_sources": .boolean("Default true"),
      "mode": .string("Default comprehensive", allowed: modes),
      "model_id": .string(
        "A model of yours that also phrases the answer, in the modes comprehensive and creative",
        1...64
      ),
      "filters": .object(
        [
          "document_types": .array(.string("", 1...127), "Content types", 0...20),
          "file_ids": .array(.string("", 36...36, format: "uuid"), "", 0...100),
          "confidence_threshold": .number("Least relevance of a source", 0...1),
          "category": .string("", 1...64),
          "tags": .array(.string("", 1...64), "All of them", 0...32),
        ],
        unknown: .refused
      ),
    ],
    required: ["query"],
    unknown: .refused
  )

  private static let answer = Schema.object([
    "query": .string(), "answer": .string("Sentences of the sources, cited as [1]"),
    "sources": .array(
      .object([
        "document_id": .string(), "file_id": .string(), "title": .string(),
        "relevance_score": .number(), "excerpt": .string(),
        "position": .object([
          "chunk": .integer(), "section": .string(), "line": .integer(),
          "page": Schema.integer().orNull,
          "start": .integer(), "end": .integer(),
        ]),
        "metadata": .object([:]),
      ])
    ),
    "confidence": .number("0 to 1; 0 exactly when nothing was found"),
    "confidence_explanation": .string(), "mode": .string(allowed: modes),
    "phrased_answer": Schema.object(
      [
        "text": .string(), "model_id": .string(), "finish_reason": .string(),
        "truncated": .boolean("Whether the model could not read all of the passages"),
      ],
      "With model_id alone: in the model's words, which nothing vouches for; null when nothing was found"
    ).orNull,
    "processing_time_ms": .number(),
  ])
}

extension QueryEngine.Request {
  /// Reads the body of a question.
  ///
  /// - Parameters:
  ///   - fields: The body.
  ///   - owner: Whose documents are asked.
  /// - Returns: The question, and whether its sources are wanted.
  package static func read(
    _ fields: inout Fields,
    owner: String
  ) -> (QueryEngine.Request, includesSources: Bool) {
    let modes = QueryMode.allCases.map(\.rawValue)
    let query = fields.string("query", 1...5000)
    let maxResults = fields.integer("max_results", 1...50, default: 10)
    let includesSources = fields.bool("include_sources", default: true)
    let mode = fields.choice("mode", modes, default: QueryMode.comprehensive.rawValue)
    var filter = SearchIndex.Filter(owner: owner)
    let model = fields.optionalString("model_id", 1...64)
    if model != nil, mode != QueryMode.comprehensive.rawValue, mode != QueryMode.creative.rawValue {
      fields.refuse("model_id", "is for the modes comprehensive and creative; leave it out")
    }
    let least = fields.optionalObject("filters") { part -> Double in
      filter.documentTypes = part.strings("document_types", 0...20, length: 1...127)
        .map { $0.lowercased() }
      filter.files = part.strings("file_ids", 0...100, length: 36...36)
      filter.category = part.optionalString("category", 1...64)
      filter.tags = part.strings("tags", 0...32, length: 1...64)
      return part.number("confidence_threshold", 0...1, default: 0)
    }
    let request = QueryEngine.Request(
      query: query,
      mode: QueryMode(rawValue: mode) ?? .comprehensive,
      maxResults: maxResults,
      filter: filter,
      leastRelevance: least ?? 0,
      model: model
    )
    return (request, includesSources)
  }
}

extension Reply {
  /// The member `data` of the answer.
  ///
  /// - Parameters:
  ///   - question: What was asked.
  ///   - includesSources: Whether its sources are wanted; without them nothing is numbered.
  ///   - phrased: What a model made of it, where one was asked.
  ///   - took: How long it took.
  /// - Returns: The object.
  package func json(
    to question: QueryEngine.Request,
    includesSources: Bool,
    phrased: JSON? = nil,
    took: Duration
  ) -> JSON {
    let shown = includesSources ? sources : []
    let milliseconds = took / .milliseconds(1)
    var members: [JSON.Member] = [
      .init(name: "query", value: .string(question.query)),
      .init(name: "answer", value: .string(includesSources ? answer : answerWithoutNumbers)),
      .init(name: "sources", value: .array(shown.map(\.json))),
      .init(name: "confidence", value: .number(Self.rounded(confidence))),
      .init(name: "confidence_explanation", value: .string(explanation)),
      .init(name: "mode", value: .string(question.mode.rawValue)),
    ]
    if let phrased { members.append(.init(name: "phrased_answer", value: phrased)) }
    let time = JSON.number(Self.rounded(milliseconds))
    return .object(members + [.init(name: "processing_time_ms", value: time)])
  }

  /// Three digits, and never 0 for what is not.
  fileprivate static func rounded(_ value: Double) -> Double {
    value > 0 ? max(0.001, (value * 1000).rounded() / 1000) : 0
  }
}

extension Reply.Source {
  fileprivate var json: JSON {
    let passage = hit.passage
    return [
      "document_id": .string(hit.file), "file_id": .string(hit.file),
      "title": .string(hit.title), "relevance_score": .number(Reply.rounded(relevance)),
      "excerpt": .string(excerpt),
      "position": [
        "chunk": .integer(Int64(passage.ordinal)), "section": .string(hit.section),
        "line": .integer(Int64(passage.line)),
        "page": passage.page.map { .integer(Int64($0)) } ?? .null,
        "start": .integer(Int64(passage.start)), "end": .integer(Int64(passage.end)),
      ],
      "metadata": [
        "filename": .string(hit.filename), "content_type": .string(hit.contentType),
        "category": hit.category.map { .string($0) } ?? .null,
        "tags": FileRecord.stored(hit.tags),
        "download_url": .string("/v1/files/\(hit.file)/content"),
      ],
    ]
  }
}

extension SearchIndex.Hit {
  /// The headings above the passage, without the name of the document.
  fileprivate var section: String {
    let name = Filename.stem(filename) + SearchIndex.headingSeparator
    return heading.hasPrefix(name) ? String(heading.dropFirst(name.count)) : ""
  }
}
