package import Wire

/// Who may have signed a library, as its file of the plugins directory says.
package struct Signers: Sendable, Equatable {
  /// Keys in one file.
  static let maxKeys = 32

  /// One of these must have signed; `nil`: the file does not ask for a signature.
  package internal(set) var keys: [PublicKey]?
  /// Where the keys stand in the file.
  package internal(set) var position: SettingsDocument.Position?
  /// Whether the library is loaded also without a good signature, which taints the gateway.
  package internal(set) var isForced = false

  /// The keys of a list; `nil` when it is none, or one of its values is no key.
  static func keys(_ node: SettingsDocument.Node) -> [PublicKey]? {
    guard let values = node.elements, (1...maxKeys).contains(values.count) else { return nil }
    let keys = values.compactMap { $0.json.asString.flatMap(PublicKey.init) }
    return keys.count == values.count ? keys : nil
  }
}
