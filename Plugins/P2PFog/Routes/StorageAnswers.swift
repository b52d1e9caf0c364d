import GatewayPlugin
import PluginStorage

extension Failure {
  /// What a client is told when storage failed; `nil` when that is our own fault.
  static func answer(to error: StorageError) -> Failure? {
    switch error {
    case .busy, .timedOut:
      unavailable("The server's store is busy; try again shortly.", retryAfter: .seconds(2))
    case .full: noSpace
    case .cannotOpen, .newerSchema, .statement, .system: nil
    }
  }

  /// 507: nothing more can be kept, everything else goes on.
  static let noSpace = Failure(
    status: 507,
    code: "STORAGE_FULL",
    message:
      "The server has no room to keep more; delete messages or results of jobs, or tell its operator."
  )
}

/// Runs `body`; what storage throws becomes an answer where the client can do something about it.
func answering<Value: ~Copyable>(_ body: () throws(StorageError) -> Value) throws -> Value {
  do {
    return try body()
  } catch {
    throw Failure.answer(to: error) ?? (error as any Error)
  }
}
