import CLinux
import Glibc
import Testing
import Wire

@testable import Gateway

/// One server on a loop of the test's own thread, with nothing listening.
final class ServerBench {
  let core: Core
  let loop: EventLoop
  let server: Server
  let desk: AnswerDesk
  private let writer: LogWriter
  private let logFile: CInt

  /// Makes a server whose log goes to `writer`, or nowhere.
  init(writer given: LogWriter? = nil, _ change: (inout Settings) -> Void = { _ in }) throws {
    var settings = Settings()
    settings.jwtSecret = tokenSecret
    settings.limits.poolThreads = 1
    settings.accessLog = false
    change(&settings)
    logFile = open("/dev/null", O_WRONLY)
    writer = try given ?? LogWriter(output: logFile)
    let log = Log(writer: writer, level: .debug, format: .text)
    core = try Core(
      settings: settings,
      writer: writer,
      log: log,
      revocations: ListedRevocations()
    )
    loop = try EventLoop()
    let end = ServerEnd(index: 0)
    desk = AnswerDesk(ends: [end], limits: settings.limits)
    server = Server(core: core, loop: loop, end: end, desk: desk)
  }

  deinit {
    core.pool.shutDown()
    writer.close()
    close(logFile)
  }

  /// Makes the calling thread the loop's, as running does; the loop does not run again after that.
  func claimThread() throws {
    loop.remote.post { $0.stop() }
    try loop.run()
  }

  /// What the server answers to `request` at once, without the loop running.
  func answer(_ request: String) throws -> ParsedAnswer {
    let pair = try SocketPair()
    let connection = HTTPConnection(
      socket: Socket(pair.surrenderNear()),
      peer: Array("192.0.2.7".utf8),
      server: server
    )
    try connection.open()
    pair.give(Array(request.utf8))
    connection.ready(EPOLLIN.rawValue)
    return try #require(ParsedAnswer(pair.take()))
  }
}
