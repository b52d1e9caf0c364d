import GatewayPlugin
import StorageAnswers

/// What clients are told when storage fails.
let answering = StorageAnswers(remedy: "delete models")

extension Failure {
  /// 404 for a model that is not there, or not the caller's.
  static func noModel(_ id: String) -> Failure {
    notFound(
      "There is no model \(String(id.unicodeScalars.prefix(64))) among your models; see GET /v1/models."
    )
  }
}
