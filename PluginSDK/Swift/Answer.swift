internal import CGatewayPlugin
internal import Synchronization

/// The right to answer one request later, once, from any thread.
///
/// An answer let go without having been used fails the request with 500 at once.
public final class Answer: Sendable {
  private let exchange: Exchange
  private let isUsed = Atomic<Bool>(false)

  init(exchange: Exchange) { self.exchange = exchange }

  /// Whether nobody wants the answer any more.
  public var isCancelled: Bool { exchange.isCancelled }

  /// Answers.
  ///
  /// A stream is produced on this thread, which must be a worker's or a job's.
  ///
  /// - Parameter response: Not `later`.
  /// - Throws: `HostRefusal.gone` when already answered or cancelled, `HostRefusal.argument` when
  ///   the gateway cannot send this (the request is then answered with 500).
  public func send(_ response: Response) throws(HostRefusal) {
    if case .later = response.body { throw .argument }
    let (isFirst, _) = isUsed.compareExchange(
      expected: false,
      desired: true,
      ordering: .acquiringAndReleasing
    )
    guard isFirst else { throw .gone }
    let status = exchange.send(response)
    if status < 0, status != GW_E_GONE { _ = exchange.send(.failure(.unexplained)) }
    try HostRefusal.check(status, GW_HTTP_1)
  }

  /// Answers with an error: a `Failure` as it is, anything else as 500 with the reason in the log.
  ///
  /// - Parameter error: What went wrong.
  /// - Throws: `HostRefusal.gone` when already answered or cancelled.
  public func fail(_ error: any Error) throws(HostRefusal) {
    try send(.failure(failure(for: error, handle: exchange.handle, host: exchange.host)))
  }

  deinit {
    if isUsed.load(ordering: .acquiring) { return }
    if exchange.send(.failure(.unexplained)) >= 0 {
      Log(host: exchange.host, about: exchange.handle).error(
        "A deferred answer was let go without an answer."
      )
    }
  }
}

/// What the client gets for `error`; the log gets the rest.
func failure(for error: any Error, handle: gw_request, host: Host) -> Failure {
  switch error {
  case let failure as Failure:
    return failure
  case HostRefusal.busy, HostRefusal.limit:
    return .unavailable("The service is busy; try again shortly.", retryAfter: .seconds(1))
  default:
    Log(host: host, about: handle).error("A request failed.", ["why": sentence(error)])
    return .unexplained
  }
}
