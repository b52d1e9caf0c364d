import GatewayPlugin
import StorageAnswers

/// What clients are told when storage fails.
let answering = StorageAnswers(store: "The document store", remedy: "delete some files")

extension Failure {
  /// 404 for a file that is not there, or not the caller's.
  static func noFile(_ id: String) -> Failure {
    notFound("There is no file \(PlainWords.prefix(id, bytes: 64)) among your files.")
  }
}

extension Caller {
  /// Whose files the caller sees; `nil` is everyone's, which takes the scope `admin` itself.
  var visibleOwner: String? { scopes.contains(.admin) ? nil : subject }
}
