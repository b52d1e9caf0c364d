import GatewayPlugin
import PluginStorage

/// Runs what touches the store, for a client.
///
/// - Parameter body: What to do.
/// - Returns: What `body` gave.
/// - Throws: `Failure` for a disk that is full or a database that is busy, `StorageError` for the log.
func answering<Value>(_ body: () throws(StorageError) -> Value) throws -> Value {
  do throws(StorageError) {
    return try body()
  } catch {
    switch error {
    case .full:
      throw Failure(
        status: 507,
        code: "INSUFFICIENT_STORAGE",
        message: "The gateway has no room left; try again when its operator has made some."
      )
    case .busy, .timedOut:
      throw Failure.unavailable("The store is busy; try again.", retryAfter: .seconds(1))
    default: throw error
    }
  }
}
