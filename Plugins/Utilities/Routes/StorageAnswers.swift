import GatewayPlugin
import PluginStorage

extension Failure {
  /// What a client is told when storage failed; `nil` when that is our own fault.
  static func answer(to error: StorageError) -> Failure? {
    switch error {
    case .busy, .timedOut:
      unavailable("The document store is busy; try again shortly.", retryAfter: .seconds(2))
    case .full: noSpace
    case .cannotOpen, .newerSchema, .statement, .system: nil
    }
  }

  /// 507: uploads cannot be kept, everything else goes on.
  static let noSpace = Failure(
    status: 507,
    code: "SERVICE_UNAVAILABLE",
    message: "The server has no room for further files; delete some, or tell its operator."
  )

  /// 404 for a file that is not there, or not the caller's.
  static func noFile(_ id: String) -> Failure {
    notFound("There is no file \(PlainWords.prefix(id, bytes: 64)) among your files.")
  }
}

/// Runs `body`; what storage throws becomes an answer where the client can do something about it.
func answering<Value: ~Copyable>(_ body: () throws(StorageError) -> Value) throws -> Value {
  do {
    return try body()
  } catch {
    throw Failure.answer(to: error) ?? (error as any Error)
  }
}

extension Caller {
  /// Whose files the caller sees; `nil` is everyone's, which takes the scope `admin` itself.
  var visibleOwner: String? { scopes.contains(.admin) ? nil : subject }
}
