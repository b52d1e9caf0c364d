package import GatewayPlugin
package import PluginStorage
import StorageAnswers
import Synchronization

/// Answers with models: for `/v1/chat`, for clients of OpenAI's form, and for other plugins.
///
/// May be called from any thread.
package final class ChatService: Sendable {
  let models: any ModelSource
  let cache: ModelCache
  let conversations: ConversationStore
  let settings: ChatSettings
  /// Calls of `forge.generate` that are being answered.
  private let calls = Mutex(0)
  /// Told of each answer.
  private let counted: @Sendable (Generation) -> Void

  /// A service that nobody offers yet.
  ///
  /// - Parameters:
  ///   - models: Where models are.
  ///   - database: With the tables of `DatabaseSchema.forge`.
  ///   - settings: What the operator has decided.
  ///   - counted: Told of each answer, also of a cancelled one.
  package init(
    models: any ModelSource,
    database: Database,
    settings: ChatSettings = ChatSettings(),
    counted: @escaping @Sendable (Generation) -> Void = { _ in }
  ) {
    self.models = models
    self.settings = settings
    self.counted = counted
    cache = ModelCache(models, capacity: settings.cacheBytes)
    conversations = ConversationStore(database)
  }

  /// Defines the metrics and offers `forge.generate`; in the plugin's `init`.
  ///
  /// - Parameters:
  ///   - host: What the gateway offers.
  ///   - models: Where models are.
  ///   - database: With the tables of `DatabaseSchema.forge`.
  ///   - settings: What the operator has decided.
  /// - Throws: What the gateway refused.
  package convenience init(
    host: Host,
    models: any ModelSource,
    database: Database,
    settings: ChatSettings
  ) throws {
    let times = try host.metrics.histogram(
      "agent_forge_chat_seconds",
      "Time to make an answer, from the first token read to the last one drawn.",
      labels: ["finish"]
    )
    let tokens = try host.metrics.counter(
      "agent_forge_chat_tokens_total",
      "Tokens drawn in answers."
    )
    self.init(models: models, database: database, settings: settings) { made in
      times.observe(.nanoseconds(Int64(made.readTime + made.drawTime)), made.finish.rawValue)
      tokens.add(Double(made.completionTokens))
    }
    guard host.services.isAvailable else { return }
    try host.services.serve(GenerateCall.service) { [self] call in
      if call.method == "describe" {
        return try GenerateCall.describe(call.argument, subject: call.subject, self)
      }
      return try withPlace { try GenerateCall.answer(call.argument, subject: call.subject, self) }
    }
  }

  /// Runs `body`, unless as many calls of other plugins are under way as are answered at once.
  ///
  /// - Parameter body: Answers one.
  /// - Returns: What it gave.
  /// - Throws: `HostRefusal.busy`, and what `body` throws.
  package func withPlace<Value>(_ body: () throws -> Value) throws -> Value {
    let isTaken = calls.withLock { count in
      guard count < settings.answersAtOnce else { return false }
      count += 1
      return true
    }
    guard isTaken else { throw HostRefusal.busy }
    defer { calls.withLock { $0 -= 1 } }
    return try body()
  }

  /// The routes of answers and conversations.
  @ListBuilder<Route> package var routes: [Route] {
    ChatRoutes(service: self).all
    ConversationRoutes(conversations: conversations).all
    OpenAIRoutes(service: self).all
  }

  /// Lets go of a model that was deleted.
  package func forget(_ id: String) { cache.forget(id) }

  /// A model and what is known of it.
  ///
  /// - Parameters:
  ///   - id: The model's.
  ///   - owner: Who asks.
  /// - Returns: Both.
  /// - Throws: 404 when the owner has none of that id, 500 with the reasons when it is damaged; what the source threw.
  package func find(
    _ id: String,
    owner: String
  ) throws -> (model: RunnableModel, record: ModelRecord) {
    // The record is asked for each time: a model that was deleted does not answer from the cache.
    do {
      guard let record = try models.record(id, owner: owner),
        let model = try cache.model(id, owner: owner)
      else { throw Failure.noModel(id) }
      return (model, record)
    } catch let fault as ModelFault {
      throw Failure(
        status: 500,
        message: "The model's files are damaged: \(fault). Train it again, or import it anew."
      )
    } catch let error as StorageError {
      throw answering.thrown(error)
    }
  }

  /// Lets a model answer, and counts it.
  ///
  /// - Parameters:
  ///   - prompt: What it reads.
  ///   - model: Who answers.
  ///   - options: What is wanted.
  ///   - isCancelled: Asked before each token.
  ///   - say: Gets the text piece by piece.
  /// - Returns: The answer.
  /// - Throws: What `say` threw; 500 for a damaged model.
  package func generate(
    _ prompt: Prompt,
    with model: RunnableModel,
    _ options: GenerationOptions,
    isCancelled: () -> Bool,
    say: (String) throws -> Void = { _ in }
  ) throws -> Generation {
    do {
      let made = try Generation(
        answering: prompt,
        with: model,
        options,
        isCancelled: isCancelled,
        say: say
      )
      counted(made)
      return made
    } catch let error as SamplerError {
      throw Failure(
        status: 500,
        message: "The model cannot answer: \(error). Train it again, or import it anew."
      )
    }
  }
}
