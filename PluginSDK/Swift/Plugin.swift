@_exported public import Wire

/// A service that the gateway loads, and may hold several instances of at once.
///
/// An instance is made, activated, called from many threads, quiesced and let go. Only `init` and
/// `activate` may fail; what they throw becomes the sentence an operator reads.
public protocol Plugin: Sendable {
  /// What this library is.
  static var identity: PluginIdentity { get }

  /// Makes an instance: reads the settings, opens its database, subscribes, defines metrics.
  ///
  /// Runs on the host's setup thread and may block. No request comes before `activate` returned.
  ///
  /// - Parameter host: What the gateway offers, valid for the life of the instance.
  /// - Throws: `PluginFailure` with a sentence for the operator; nothing is left behind.
  init(host: Host) throws

  /// The routes this instance serves; asked for once, after `init`.
  @ListBuilder<Route> var routes: [Route] { get }

  /// What this instance contributes to `/health`; asked for once, after `init`.
  @ListBuilder<HealthCheck> var checks: [HealthCheck] { get }

  /// The last step that may fail; requests may arrive from its return on.
  ///
  /// - Throws: `PluginFailure` with a sentence for the operator.
  func activate() throws

  /// Stops own activity. Requests under way still finish; jobs see `shouldStop`.
  func quiesce()
}

extension Plugin {
  /// No routes.
  public var routes: [Route] { [] }

  /// No checks.
  public var checks: [HealthCheck] { [] }

  /// Nothing to do.
  public func activate() throws {}

  /// Nothing to stop.
  public func quiesce() {}
}

/// What a library is, as the host checks and shows it.
public struct PluginIdentity: Sendable, Equatable {
  /// `[a-z][a-z0-9_]{0,31}`; the name under `services` in `/health`.
  public let id: String

  /// Semantic version.
  public let version: String

  /// One sentence.
  public let description: String

  /// An identity; it must be the same each time it is asked for.
  ///
  /// - Parameters:
  ///   - id: `[a-z][a-z0-9_]{0,31}`.
  ///   - version: Semantic version.
  ///   - description: One sentence.
  public init(id: String, version: String, description: String) {
    self.id = id
    self.version = version
    self.description = description
  }
}

/// Why an instance could not be made, or a feature of it not be had: a sentence for the operator.
///
/// It goes to the log and to whoever asked for the load, never to an HTTP client.
public struct PluginFailure: Error, Equatable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  /// A failure explained by `sentence`: what is wrong, and what to do.
  public init(_ sentence: String) { description = sentence }
}

/// Lists declared one element a line, with `if` and `for`.
@resultBuilder
public enum ListBuilder<Element> {
  /// One element.
  public static func buildExpression(_ element: Element) -> [Element] { [element] }

  /// Several at once.
  public static func buildExpression(_ elements: [Element]) -> [Element] { elements }

  /// The lines of a block, in order.
  public static func buildBlock(_ parts: [Element]...) -> [Element] { parts.flatMap(\.self) }

  /// `if` without `else`.
  public static func buildOptional(_ part: [Element]?) -> [Element] { part ?? [] }

  /// The first branch.
  public static func buildEither(first part: [Element]) -> [Element] { part }

  /// The second branch.
  public static func buildEither(second part: [Element]) -> [Element] { part }

  /// A loop.
  public static func buildArray(_ parts: [[Element]]) -> [Element] { parts.flatMap(\.self) }
}
