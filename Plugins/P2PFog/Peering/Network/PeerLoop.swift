import Glibc
import PluginStorage

/// The sockets of a peer and the protocols on them; one thread's alone.
///
/// Each turn reads what has come, lets mesh and overlay work on it, stores what was received, and only then sends: a receipt
/// that leaves is one that a crash does not take back.
package final class PeerLoop {
  /// Datagrams read in one turn from one socket, so that links get their share.
  private static let datagramsPerTurn = 256
  /// Connections taken in one turn: those that the overlay refuses are closed before more are taken.
  private static let connectionsPerTurn = 64
  /// Nanoseconds without a look at who wants to connect when the machine has no descriptor left; `poll` would not wait.
  private static let acceptPause: UInt64 = 250_000_000
  /// Milliseconds that a turn waits at most.
  private static let patience: Int32 = 250
  /// Nanoseconds between two publications of the status.
  private static let publicationPeriod: UInt64 = 250_000_000
  /// Nanoseconds from the beginning in which peers that were known before are met again.
  private static let meetingTime: UInt64 = 10_000_000_000

  /// Nanoseconds between two warnings of one kind: whoever provokes them writes no log full.
  private static let warningPeriod: UInt64 = 10_000_000_000

  /// What may go wrong again with every turn.
  enum Trouble {
    case storing, accepting
  }

  let identity: Identity
  let settings: NetworkSettings
  let surroundings: PeerNetwork.Surroundings
  private let sockets: NetworkSockets
  private let startedAt: UInt64
  private var publishedAt: UInt64 = 0

  package internal(set) var roster: Roster
  var mesh: Mesh
  var overlay: Overlay
  var connections: [Int: Connection] = [:]
  // Who waits for the end of a handshake by datagrams, and who is told it when the status shows it.
  var meetings: [Meeting] = []
  var ended: [() -> Void] = []
  var appointments = Appointments()
  // Messages for circuits that wait until peers are met, and when they wait no longer.
  var held: [(message: PeerMessage, hops: Int?)] = []
  let meetsUntil: UInt64
  // What could not be stored yet.
  var unstored: [MessageOutcome] = []
  private var nextConnection = 1
  // When each kind of trouble was told last.
  private var warnedAt: [Trouble: UInt64] = [:]
  // Until then nobody is let in.
  private var acceptFrom: UInt64 = 0
  private var readBuffer = [UInt8](repeating: 0, count: Connection.readSize)
  /// The moment of this turn.
  var now: Moment

  init(
    _ identity: Identity,
    _ settings: NetworkSettings,
    _ sockets: NetworkSockets,
    _ roster: Roster,
    _ surroundings: PeerNetwork.Surroundings
  ) {
    now = Self.moment()
    let record = PeerRecord(
      identity,
      sequence: now.wall,
      endpoint: settings.advertise ?? sockets.local,
      name: settings.name
    )
    self.identity = identity
    self.settings = settings
    self.sockets = sockets
    self.roster = roster
    self.surroundings = surroundings
    startedAt = now.wall
    meetsUntil = now.monotonic + Self.meetingTime
    mesh = Mesh(identity: identity, record: record, settings: settings.mesh)
    overlay = Overlay(identity: identity, record: record, settings: settings.overlay)
    // Paths go through peers that membership has heard of, and no others.
    overlay.alive = []
  }

  private static func moment() -> Moment {
    Moment(monotonic: Clock.monotonic(), wall: UInt64(Clock.wall() / 1_000_000))
  }

  // MARK: Turns

  /// Waits for something to happen and reads it.
  func turn(_ wakeup: borrowing Wakeup) {
    let linkNumbers = connections.keys.sorted()
    let datagramDescriptors = sockets.datagrams.descriptors
    var polled = [pollfd(fd: wakeup.descriptor, events: Int16(POLLIN), revents: 0)]
    // `poll` passes over a negative number.
    let listening = acceptFrom <= Clock.monotonic() ? sockets.links.socket.descriptor : -1
    polled.append(pollfd(fd: listening, events: Int16(POLLIN), revents: 0))
    for descriptor in datagramDescriptors {
      polled.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
    }
    let firstLink = polled.count
    for number in linkNumbers {
      guard let connection = connections[number] else { continue }
      let events = POLLIN | (connection.wantsToWrite ? POLLOUT : 0)
      polled.append(pollfd(fd: connection.socket.descriptor, events: Int16(events), revents: 0))
    }
    let ready = unsafe poll(&polled, nfds_t(polled.count), timeout())
    now = Self.moment()
    guard ready > 0 else { return }
    if polled[0].revents != 0 { wakeup.drain() }
    for index in 2..<firstLink where polled[index].revents != 0 { readDatagrams(polled[index].fd) }
    if polled[1].revents != 0 { acceptLinks() }
    for (index, number) in linkNumbers.enumerated() {
      let events = Int32(polled[firstLink + index].revents)
      if events != 0 { serve(number, events) }
    }
  }

  /// Does what is due and what the protocols have asked for.
  func finishTurn() {
    endAttempts()
    if (mesh.deadline ?? .max) <= now.monotonic { mesh.advance(roster: &roster, now: now) }
    if (overlay.deadline ?? .max) <= now.monotonic { overlay.advance(roster: roster, now: now) }
    keepAppointments()
    sendHeld()
    carryOut()
  }

  /// Whether the status should be published now.
  var shouldPublish: Bool {
    guard now.monotonic - publishedAt >= Self.publicationPeriod || !ended.isEmpty else {
      return false
    }
    publishedAt = now.monotonic
    return true
  }

  /// Tells those who wait for it what the published status shows.
  func tellEnded() {
    let told = ended
    ended = []
    for tell in told { tell() }
  }

  /// Says goodbye, so that nobody has to find out.
  func leave() {
    now = Self.moment()
    mesh.leave(now: now)
    carryOut()
    end(.failure(.noAnswer)) { _ in true }
    tellEnded()
  }

  private func timeout() -> Int32 {
    let next = min(mesh.deadline ?? .max, overlay.deadline ?? .max)
    let current = Clock.monotonic()
    guard next > current else { return 0 }
    // Rounded up: a turn that wakes too early would only wait again.
    let wait = (next - current + 999_999) / 1_000_000
    return Int32(min(wait, UInt64(Self.patience)))
  }

  // MARK: Sockets

  private func readDatagrams(_ descriptor: Int32) {
    for _ in 0..<Self.datagramsPerTurn {
      guard let (bytes, sender) = sockets.datagrams.receive(from: descriptor) else { return }
      mesh.receive(bytes, from: sender, roster: &roster, now: now)
    }
  }

  private func acceptLinks() {
    for _ in 0..<Self.connectionsPerTurn {
      switch sockets.links.accept() {
      case .connection(let socket):
        let number = add(Connection(socket, dialled: nil, invitation: nil, connectBy: nil))
        overlay.opened(number, isInitiator: false, now: now)
      case .none: return
      case .exhausted(let error):
        acceptFrom = now.monotonic + Self.acceptPause
        warn(.accepting, "No peer can connect: \(error).")
        return
      }
    }
  }

  /// Ends attempts to connect that have taken too long; the system's own patience is minutes.
  private func endAttempts() {
    for (number, connection) in connections {
      if let limit = connection.connectBy, limit <= now.monotonic { fail(number) }
    }
  }

  private func serve(_ number: Int, _ events: Int32) {
    guard let connection = connections[number] else { return }
    if connection.isConnecting {
      guard connection.socket.pendingError == 0 else { return fail(number) }
      guard events & POLLOUT != 0 else { return }
      connection.connectBy = nil
      overlay.opened(
        number,
        isInitiator: true,
        expecting: connection.dialled,
        invitation: connection.invitation,
        now: now
      )
      return
    }
    if events & POLLOUT != 0 { write(number) }
    if events & (POLLIN | POLLHUP | POLLERR) != 0 { read(number) }
  }

  private func read(_ number: Int) {
    guard let connection = connections[number] else { return }
    switch connection.socket.read(into: &readBuffer) {
    case .bytes(let count):
      overlay.receive(Array(readBuffer[..<count]), on: number, roster: &roster, now: now)
    case .later: break
    case .ended: fail(number)
    }
  }

  /// Writes what waits for a connection.
  func write(_ number: Int) {
    guard let connection = connections[number], !connection.isConnecting else { return }
    guard let count = connection.flush() else { return fail(number) }
    if count > 0 { overlay.wrote(count, on: number, now: now) }
  }

  /// Begins a connection.
  func dial(_ endpoint: Endpoint, for peer: PeerID, invitation: [UInt8]?) {
    do throws(NetworkError) {
      let socket = try Socket(for: endpoint, isStream: true)
      try? socket.set(Int32(IPPROTO_TCP), TCP_NODELAY, to: 1)
      try socket.connect(to: endpoint)
      let limit = now.monotonic + settings.overlay.dialLimit
      _ = add(Connection(socket, dialled: peer, invitation: invitation, connectBy: limit))
    } catch {
      overlay.dialFailed(peer, now: now)
    }
  }

  private func add(_ connection: Connection) -> Int {
    defer { nextConnection += 1 }
    connections[nextConnection] = connection
    return nextConnection
  }

  private func fail(_ number: Int) {
    guard let connection = connections.removeValue(forKey: number) else { return }
    if connection.isConnecting, let peer = connection.dialled {
      overlay.dialFailed(peer, now: now)
    } else {
      overlay.closed(number, now: now)
    }
  }

  // MARK: Datagrams out

  func send(_ datagram: [UInt8], to endpoint: Endpoint) {
    sockets.datagrams.send(datagram, to: endpoint)
  }

  func multicast(_ datagram: [UInt8]) { sockets.datagrams.multicast(datagram) }

  // MARK: Status

  /// Tells the operator of trouble that lasts, from time to time.
  func warn(_ trouble: Trouble, _ text: String) {
    if let at = warnedAt[trouble], now.monotonic - at < Self.warningPeriod { return }
    warnedAt[trouble] = now.monotonic
    surroundings.warn(text)
  }

  func status() -> NetworkStatus {
    var status = NetworkStatus()
    status.isRunning = true
    status.local = sockets.local
    status.advertised = mesh.record.endpoint
    status.startedAt = startedAt
    fill(&status)
    return status
  }
}
