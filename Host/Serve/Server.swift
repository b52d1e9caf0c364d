import CLinux
import Glibc
import Synchronization
import Wire

/// One loop's share of the gateway: its listener, connections, and everything they reuse.
///
/// Not `Sendable`; other threads reach it through `ServerEnd`.
@safe package final class Server {
  let core: Core
  package let loop: EventLoop
  let end: ServerEnd
  let desk: AnswerDesk
  let limits: Limits
  var head = RequestHead()
  var path = SplitPath()
  var writer: ResponseWriter
  let tokens: TokenCache
  let accessLog: AccessLog?
  let traffic: Traffic
  let cors: CORSPolicy
  var hub = SocketHub()
  var health = HealthBody()
  /// The request whose inline handler runs right now; 0 for none.
  var inlineHandle: UInt64 = 0
  /// Limits of time as nanoseconds, for what is asked at every request.
  let inlineNanoseconds, idleNanoseconds, headNanoseconds, stallNanoseconds: Int64
  private let answerNanoseconds: Int64
  private var listeners: [Listener] = []
  /// Whether connections end with the request at hand.
  private(set) var isDraining = false
  private var served: Core.Served
  private var servedVersion: UInt64
  /// Connections whose next request waits for its plugin, by token.
  var parked: Set<UInt64> = []
  private var spareExchanges: [Exchange] = []
  private var exchanges: [Exchange?] = []
  private var ids: RequestIDs
  private var flush: FlushTimer?
  /// Open connections of this loop, WebSockets included.
  private(set) var connectionCount = 0
  /// Runs when draining has begun and the last connection is gone.
  var whenEmpty: (() -> Void)?

  package init(core: Core, loop: EventLoop, end: ServerEnd, desk: AnswerDesk) {
    self.core = core
    self.loop = loop
    self.end = end
    self.desk = desk
    limits = core.settings.limits
    inlineNanoseconds = limits.inlineTime.nanoseconds
    idleNanoseconds = limits.idleTime.nanoseconds
    headNanoseconds = limits.headTime.nanoseconds
    stallNanoseconds = limits.writeStallTime.nanoseconds
    answerNanoseconds = limits.answerTime.nanoseconds
    writer = ResponseWriter(corsVaries: !core.settings.corsOrigins.isEmpty)
    tokens = TokenCache(core.authenticator, rates: core.rates, tiers: core.tiers)
    accessLog =
      core.settings.accessLog
      ? AccessLog(writer: core.writer, format: core.settings.logFormat) : nil
    traffic = end.traffic
    cors = CORSPolicy(origins: core.settings.corsOrigins)
    (served, servedVersion) = core.whatIsServed()
    ids = RequestIDs()
    flush = FlushTimer(server: self)
    end.attach(self)
  }

  /// Begins to accept connections of `socket`, which it closes at the end.
  package func listen(on socket: CInt) throws(SystemError) {
    let listener = try Listener(adopting: Descriptor(adopting: socket), loop: loop) {
      [unowned self] socket, peer in accept(socket, from: peer)
    }
    listeners.append(listener)
  }

  /// Accepts no more, and leaves what waits to another process that has the sockets; what is idle may ask once more.
  func retire() {
    for listener in listeners { listener.close(leavesWaiting: true) }
    listeners = []
    for slot in 0..<loop.slotCount { (loop.source(inSlot: slot) as? WebSocketConnection)?.drain() }
    if connectionCount == 0 { whenEmpty?() }
  }

  // MARK: - Connections

  private func accept(_ socket: consuming Descriptor, from peer: [UInt8]) {
    switch core.connections.add(peer) {
    case .admitted: break
    case .tooMany: return  // closing is all that can be afforded
    case .tooManyFromAddress:
      refuse(socket, .tooManyConnections)
      return
    }
    let connection = HTTPConnection(socket: Socket(socket), peer: peer, server: self)
    do {
      try connection.open()
      connectionCount += 1
    } catch {
      core.connections.remove(peer)
      core.log.write(.error, "cannot watch a connection", [("error", "\(error)")])
    }
  }

  /// Answers a connection that is not let in, as far as its socket takes the answer at once.
  private func refuse(_ socket: borrowing Descriptor, _ refusal: Refusal) {
    let exchange = takeExchange()
    exchange.keepAlive = false
    exchange.requestID = ids.next()
    prepareWriter()
    writer.failure(exchange, Failure(refusal))
    _ = unsafe writer.out.withUnsafeBytes { unsafe OutputQueue.send($0, to: socket.raw) }
    writer.out.removeAll(keepingCapacity: true)
    shutdown(socket.raw, CInt(SHUT_WR))
    giveBack(exchange)
  }

  /// A connection of this loop has closed.
  func closed(peer: [UInt8]) {
    core.connections.remove(peer)
    connectionCount -= 1
    if connectionCount == 0 { whenEmpty?() }
  }

  // MARK: - What requests share

  /// The route table a request that begins now will keep.
  func currentRoutes() -> RouteTable {
    follow()
    return served.table
  }

  /// Whether requests to any plugin wait.
  var isHolding: Bool {
    follow()
    return !served.held.isEmpty
  }

  /// Whether requests to `plugin` wait.
  func holds(_ plugin: String) -> Bool { served.held.contains(plugin) }

  /// Brings what this loop serves up to date.
  func follow() {
    if core.servedVersion != servedVersion { (served, servedVersion) = core.whatIsServed() }
  }

  /// Brings the rendered date up to the loop's clock.
  func prepareWriter() { writer.refresh(now: loop.now) }

  func takeExchange() -> Exchange {
    spareExchanges.popLast() ?? Exchange()
  }

  func giveBack(_ exchange: Exchange) {
    guard spareExchanges.count < 64 else { return }
    exchange.reset()
    spareExchanges.append(exchange)
  }

  /// Makes an id for a request that brought none.
  func makeRequestID(into id: inout [UInt8]) { ids.write(to: &id) }

  /// Begins a trace for a request that belongs to none.
  func makeTraceID(into id: inout [UInt8]) { ids.writeTraceID(to: &id) }

  func noteAccess(_ exchange: Exchange, peer: [UInt8]) {
    traffic.count(status: exchange.status)
    // Of a request whose client is gone, nobody knows what the answer would have been.
    if let instance = exchange.answeredBy, exchange.status != 499 {
      instance.answers.add(1, ordering: .relaxed)
      if exchange.status >= 500 { instance.failures.add(1, ordering: .relaxed) }
    }
    guard let accessLog else { return }
    if accessLog.isEmpty, let flush { loop.setDeadline(flush, at: loop.now + AccessLog.delay) }
    accessLog.write(
      AccessLog.Entry(
        requestID: exchange.requestID,
        traceID: exchange.traceID,
        method: exchange.method,
        path: exchange.path,
        status: exchange.status,
        bodyBytes: exchange.bodyBytes,
        nanoseconds: MonotonicClock.now - exchange.began,
        peer: peer,
        subject: exchange.subject
      )
    )
  }

  // MARK: - Exchanges at plugins

  /// How long an answer of `route` may take to begin.
  func answerNanoseconds(of route: PluginRoute) -> Int64 {
    route.timeoutNanoseconds ?? answerNanoseconds
  }

  /// Opens a gate for `exchange`; `nil` when too many requests are under way.
  func openGate(_ exchange: Exchange, for route: PluginRoute) -> UInt64? {
    guard let handle = end.gates.open(owner: route.instance.context) else { return nil }
    let index = AnswerGates.index(of: handle)
    while exchanges.count <= index { exchanges.append(nil) }
    exchanges[index] = exchange
    exchange.handle = handle
    exchange.route = route
    return handle
  }

  /// Closes the gate of `exchange`; the plugin's later answers get `GW_E_GONE`.
  func closeGate(_ exchange: Exchange) {
    guard exchange.handle != 0 else { return }
    end.gates.close(exchange.handle)
    exchanges[AnswerGates.index(of: exchange.handle)] = nil
    exchange.handle = 0
  }

  /// The exchange behind a handle, `nil` when it has ended.
  func exchange(_ handle: UInt64) -> Exchange? {
    let index = AnswerGates.index(of: handle)
    guard index < exchanges.count, let exchange = exchanges[index], exchange.handle == handle else {
      return nil
    }
    return exchange
  }

  /// The request id behind a handle, `nil` when the request has ended.
  func requestID(of handle: UInt64) -> String? {
    exchange(handle).map { String(decoding: $0.requestID, as: UTF8.self) }
  }

  // MARK: - Stopping

  /// Stops accepting, closes what is idle, and lets the rest finish.
  func drain() {
    isDraining = true
    for listener in listeners { listener.close() }
    listeners = []
    for slot in 0..<loop.slotCount {
      switch loop.source(inSlot: slot) {
      case let connection as HTTPConnection: connection.drain()
      case let socket as WebSocketConnection: socket.drain()
      default: break
      }
    }
    if connectionCount == 0 { whenEmpty?() }
  }

  /// Cancels what is still under way.
  func cancelAll() {
    for slot in 0..<loop.slotCount {
      switch loop.source(inSlot: slot) {
      case let connection as HTTPConnection: connection.cancelForDrain()
      case let socket as WebSocketConnection: socket.cut()
      default: break
      }
    }
  }
}

extension Server {
  /// Cancels what is still under way at the generation of `context`.
  func cancelAll(of context: UInt64) {
    for slot in 0..<loop.slotCount {
      guard let connection = loop.source(inSlot: slot) as? HTTPConnection,
        connection.exchange?.route?.instance.context == context
      else { continue }
      connection.cancelForDrain()
    }
  }
}

/// Hands waiting access log lines to the writer after a while.
private final class FlushTimer: Source {
  private unowned let server: Server

  init(server: Server) {
    self.server = server
    super.init()
    server.loop.add(self)
  }

  override func expired() { server.accessLog?.flush() }
}
