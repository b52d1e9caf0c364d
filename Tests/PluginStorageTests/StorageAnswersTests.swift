import GatewayPlugin
import PluginStorage
import StorageAnswers
import Testing

@Suite("What clients are told when storage fails")
struct StorageAnswersTests {
  static let answering = StorageAnswers(store: "The store", remedy: "delete files")

  static func thrown(_ error: StorageError) -> (any Error)? {
    #expect(throws: (any Error).self) { try answering { () throws(StorageError) in throw error } }
  }

  @Test("a busy store is 503 with a time to come again", arguments: [StorageError.busy, .timedOut])
  func busy(error: StorageError) {
    let failure = Self.thrown(error) as? Failure
    #expect(failure?.status == 503 && failure?.code == "SERVICE_UNAVAILABLE")
    #expect(failure?.message == "The store is busy; try again shortly.")
    #expect(failure?.fields["Retry-After"] == "2")
  }

  @Test("a full disk is 507 with what can be done, by the client or by its operator alone")
  func full() {
    let failure = Self.thrown(.full) as? Failure
    #expect(failure == Self.answering.noSpace)
    #expect(failure?.status == 507 && failure?.code == "STORAGE_FULL")
    #expect(
      failure?.message == "The server has no room to keep more; delete files, or tell its operator."
    )
    #expect(
      StorageAnswers(remedy: nil).noSpace.message
        == "The server has no room to keep more; tell its operator."
    )
  }

  @Test(
    "what is the server's own fault stays the error it is",
    arguments: [
      StorageError.cannotOpen(path: "p", reason: "r"), .newerSchema(found: 2, known: 1),
      .statement(code: 1, reason: "r", sql: "s"), .system(call: "open", code: 5),
    ]
  )
  func ownFault(error: StorageError) {
    #expect(Self.answering.failure(error) == nil)
    #expect(Self.thrown(error) as? StorageError == error)
  }

  @Test("what succeeds is handed on")
  func success() throws {
    #expect(try Self.answering { () throws(StorageError) in 7 } == 7)
  }
}
