package import GatewayPlugin
package import PluginStorage

/// What clients of a plugin are told when its storage fails.
package struct StorageAnswers: Sendable {
  /// 507 `STORAGE_FULL`: nothing more can be kept, everything else goes on.
  package let noSpace: Failure

  private let busy: Failure

  /// Answers of one plugin.
  ///
  /// - Parameters:
  ///   - store: What is busy when the database is, as the beginning of a sentence.
  ///   - remedy: What a client can do for room, as part of a sentence; `nil` where only the operator can.
  package init(store: String = "The server's store", remedy: String?) {
    busy = .unavailable("\(store) is busy; try again shortly.", retryAfter: .seconds(2))
    let remedy = remedy.map { "\($0), or tell" } ?? "tell"
    noSpace = Failure(
      status: 507,
      code: "STORAGE_FULL",
      message: "The server has no room to keep more; \(remedy) its operator."
    )
  }

  /// What a client is told; `nil` when the error is the server's own fault.
  package func failure(_ error: StorageError) -> Failure? {
    switch error {
    case .busy, .timedOut: busy
    case .full: noSpace
    case .cannotOpen, .newerSchema, .statement, .system: nil
    }
  }

  /// What a route throws for `error`: the answer, or the error itself, which the SDK logs and answers with 500.
  package func thrown(_ error: StorageError) -> any Error {
    failure(error) ?? (error as any Error)
  }

  /// Runs `body`; what storage throws becomes an answer where the client can do something about it.
  ///
  /// - Parameter body: Runs once, on this thread.
  /// - Returns: What `body` gives.
  /// - Throws: `Failure` or `StorageError`.
  package func callAsFunction<Value: ~Copyable>(
    _ body: () throws(StorageError) -> Value
  ) throws -> Value {
    do {
      return try body()
    } catch {
      throw thrown(error)
    }
  }
}
