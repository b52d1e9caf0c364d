package import GatewayPlugin
import PluginStorage
import StorageAnswers

/// What a client wants said.
package struct ChatRequest: Sendable, Equatable {
  /// Who is to answer.
  package var model: String
  /// What is asked.
  package var message: String
  /// The conversation it belongs to; a new one without.
  package var conversation: String?
  /// Whether the answer is wanted as it comes.
  package var isStreamed = false
  /// How it is to be answered.
  package var options = GenerationOptions()

  package init(model: String, message: String, conversation: String? = nil) {
    self.model = model
    self.message = message
    self.conversation = conversation
  }
}

/// One question in a conversation, ready to be answered.
package struct ChatTurn: Sendable {
  private let service: ChatService
  private let request: ChatRequest
  private let owner: String
  private let model: RunnableModel
  private let record: ModelRecord
  private let conversation: String
  private let prompt: Prompt

  /// Loads the model, and what was said before.
  ///
  /// - Parameters:
  ///   - request: What is asked.
  ///   - owner: Who asks.
  ///   - service: Answers it.
  /// - Throws: 404 when the owner has no such model.
  package init(_ request: ChatRequest, owner: String, _ service: ChatService) throws {
    self.request = request
    self.owner = owner
    self.service = service
    (model, record) = try service.find(request.model, owner: owner)
    let conversation = request.conversation ?? UUID4.make()
    self.conversation = conversation
    var turns: [Turn] = []
    if request.conversation != nil {
      // No turn takes less than two tokens, so that more can never be read.
      let most = model.model.shape.context / 2
      turns = try answering { () throws(StorageError) in
        try service.conversations.turns(of: conversation, owner: owner, limit: most)
      }.map(\.turn)
    }
    prompt = Prompt(
      turns + [Turn(.user, request.message)],
      for: model.model,
      maxTokens: request.options.maxTokens
    )
  }

  /// Answers, and stores question and answer.
  ///
  /// - Parameters:
  ///   - isCancelled: Asked before each token.
  ///   - say: Gets the text piece by piece.
  /// - Returns: The member `data`; `nil` when it was cancelled: then nothing is stored.
  /// - Throws: What `say` threw; nothing is stored.
  package func answer(
    isCancelled: () -> Bool,
    say: (String) throws -> Void = { _ in }
  ) throws -> JSON? {
    let made = try service.generate(
      prompt,
      with: model,
      request.options,
      isCancelled: isCancelled,
      say: say
    )
    guard made.finish != .cancelled, !isCancelled() else { return nil }
    try answering { () throws(StorageError) in
      try service.conversations.append(
        [Turn(.user, request.message), Turn(.assistant, made.text)],
        tokens: made.completionTokens,
        to: conversation,
        owner: owner,
        model: request.model
      )
    }
    return [
      "model_id": .string(request.model), "response": .string(made.text),
      "conversation_id": .string(conversation), "user_id": .string(owner),
      "truncated": .bool(prompt.isTruncated), "usage": made.usage,
      "metadata": [
        "inference_time_ms": .number(Double((made.readTime + made.drawTime) / 1000) / 1000),
        "prompt_time_ms": .number(Double(made.readTime / 1000) / 1000),
        "tokens_per_second": .number((made.tokensPerSecond * 10).rounded() / 10),
        "finish_reason": .string(made.finish.rawValue),
        "model_version": .string(Timestamp.text(nanoseconds: record.createdAt)),
        "confidence_score": .number((made.confidence * 10_000).rounded() / 10_000),
      ],
    ]
  }
}

extension Generation {
  /// Tokens that were read and drawn, as clients of OpenAI's form expect it.
  var usage: JSON {
    [
      "prompt_tokens": .integer(Int64(promptTokens)),
      "completion_tokens": .integer(Int64(completionTokens)),
      "total_tokens": .integer(Int64(promptTokens + completionTokens)),
    ]
  }
}

extension GenerationOptions {
  /// Reads the members that every way to ask for an answer has.
  ///
  /// - Parameters:
  ///   - fields: The object they stand in.
  ///   - seeds: What a seed may be.
  mutating func readCommon(_ fields: inout Fields, seeds: ClosedRange<Int> = 0...Int.max) {
    maxTokens = fields.integer("max_tokens", 1...4096, default: maxTokens)
    sampling.temperature = fields.number("temperature", 0...2, default: sampling.temperature)
    sampling.topP = fields.number("top_p", 0...1, default: sampling.topP)
    sampling.seed = fields.optionalInteger("seed", seeds).map { UInt64(bitPattern: Int64($0)) }
  }

  /// Reads the member `parameters` of a chat.
  package init(_ fields: inout Fields) {
    self.init()
    readCommon(&fields)
    sampling.topK = fields.integer("top_k", 0...1000, default: 0)
    sampling.repetitionPenalty = fields.number("repetition_penalty", 1...2, default: 1)
    stop = fields.json("stop") == nil ? [] : fields.strings("stop", 0...4, length: 1...256)
  }
}
