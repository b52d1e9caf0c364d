internal import CGatewayPlugin

/// A route as the host calls it.
final class Endpoint: Registration {
  private let host: Host
  private let action: Route.Action
  private let place: Route.Place

  init(_ route: Route, host: Host) {
    self.host = host
    action = route.action
    place = route.place
  }

  /// The functions behind every route.
  ///
  /// Each catches every error: none may cross the boundary.
  static var handler: gw_http_handler_v1 {
    unsafe gw_http_handler_v1(
      request: { user, request, state in
        guard let user = unsafe user else { return GW_E_ARGUMENT }
        return unsafe Unmanaged<Endpoint>.fromOpaque(user)._withUnsafeGuaranteedRef {
          unsafe $0.handle(request, state)
        }
      },
      body: { user, state, _, chunk, last in
        guard let user = unsafe user, let state = unsafe state else { return GW_E_ARGUMENT }
        let exchange = unsafe Unmanaged<Exchange>.fromOpaque(state).takeUnretainedValue()
        return unsafe Unmanaged<Endpoint>.fromOpaque(user)._withUnsafeGuaranteedRef {
          unsafe $0.receive(chunk, isLast: last != 0, exchange)
        }
      },
      writable: { _, state, _ in
        guard let state = unsafe state else { return }
        unsafe Unmanaged<Exchange>.fromOpaque(state).takeUnretainedValue().writable()
      },
      cancel: { _, state, _, reason in
        guard let state = unsafe state else { return }
        unsafe Unmanaged<Exchange>.fromOpaque(state).takeUnretainedValue().cancel(reason)
      },
      end: { _, state, _ in
        guard let state = unsafe state else { return }
        unsafe Unmanaged<Exchange>.fromOpaque(state).takeRetainedValue().abandonSink()
      }
    )
  }

  private func handle(
    _ raw: UnsafePointer<gw_request_v1>,
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> gw_status {
    unsafe state.pointee = nil
    let request = unsafe Request(raw: raw, host: host, state: state)
    // Stored before the handler runs, so that a cancel that comes meanwhile finds it.
    if place == .worker { _ = request.exchange }
    do {
      switch action {
      case .whole(let handler):
        return conclude(try handler(request), request)
      case .upload(let opener):
        request.exchange.sink = try opener(request)
        return GW_PENDING
      }
    } catch {
      return refuse(error, unsafe raw.pointee.handle)
    }
  }

  private func conclude(_ response: Response, _ request: borrowing Request) -> gw_status {
    switch response.body {
    case .later:
      return GW_PENDING
    case .stream where place == .inline:
      let exchange = request.exchange
      do {
        try host.jobs.submit { _ in _ = exchange.send(response) }
        return GW_PENDING
      } catch {
        return refuse(error, exchange.handle)
      }
    case .stream:
      return settled(request.exchange.send(response))
    default:
      return settled(deliver(response, to: unsafe request.raw.pointee.handle, of: host))
    }
  }

  private func receive(_ chunk: gw_bytes, isLast: Bool, _ exchange: Exchange) -> gw_status {
    guard exchange.sink != nil else { return GW_E_GONE }
    do {
      if unsafe chunk.count > 0 {
        let buffer = unsafe chunk.buffer
        try unsafe exchange.sink?.receive(buffer.span)
      }
      guard isLast, let response = try exchange.sink?.finish() else { return GW_OK }
      exchange.sink = nil
      if case .later = response.body { return GW_OK }
      return settled(exchange.send(response))
    } catch {
      exchange.abandonSink()
      _ = refuse(error, exchange.handle)
      // Answered; below 0 so that no more of the body is read.
      return GW_E_GONE
    }
  }

  private func refuse(_ error: any Error, _ handle: gw_request) -> gw_status {
    let failure = failure(for: error, handle: handle, host: host)
    return settled(deliver(.failure(failure), to: handle, of: host))
  }

  /// A request that was cancelled meanwhile is settled too.
  private func settled(_ status: gw_status) -> gw_status {
    if status >= 0 || status == GW_E_GONE { return GW_OK }
    host.explain("The gateway refused the answer of this route with status \(status).")
    return status
  }
}
