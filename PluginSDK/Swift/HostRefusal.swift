/// Why the gateway did not do what was asked.
public enum HostRefusal: Error, Sendable, Equatable, CustomStringConvertible {
  /// The request, job or call has ended: already answered, cancelled, or never was.
  case gone

  /// An argument breaks the contract, such as a framing field in an answer.
  case argument

  /// Not allowed now, such as a topic declared after `init`.
  case state

  /// Not granted to this plugin.
  case denied

  /// This gateway does not have the feature; the interface that is missing, if known.
  case unsupported(String)

  /// A limit is reached; nothing was done.
  case limit

  /// No answer in time.
  case timeout

  /// Try again later.
  case busy

  /// Nobody serves that service.
  case notFound

  /// The callee failed, with this status of the contract; the log says more.
  case failed(Int32)

  /// What to tell an operator.
  public var description: String {
    switch self {
    case .gone: "what the call was about has ended"
    case .argument: "the gateway refused an argument; its log says which"
    case .state: "the gateway does not allow this at this point of the plugin's life"
    case .denied: "the gateway did not grant this to the plugin"
    case .unsupported(let name): "this gateway does not offer \(name)"
    case .limit: "a limit of the gateway is reached"
    case .timeout: "there was no answer in time"
    case .busy: "the gateway is busy; try again later"
    case .notFound: "no plugin serves this"
    case .failed(let status): "the callee failed with status \(status)"
    }
  }
}
