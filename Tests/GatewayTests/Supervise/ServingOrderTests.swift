import CLinux
import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite struct ServingOrderTests {
  @Test func `an order is what it was after it was written and read`() {
    let order = ServingOrder(
      parent: 7,
      channel: 5,
      marks: 6,
      listeners: [8, 9],
      takesOver: true,
      leftOut: ["one": "it \"crashed\""],
      counts: CrashCounts(crashes: 3, restarts: 2)
    )
    #expect(ServingOrder(order.text) == order)
  }

  @Test(arguments: ["", "{}", "[]", #"{"parent":1,"channel":2,"marks":3,"takes_over":false}"#])
  func `what is no order is refused`(_ text: String) {
    #expect(ServingOrder(text) == nil)
  }

  @Test func `an order without a socket, or with a bad one, is refused`() {
    for listeners in ["[]", "[-1]", "[1e10]"] {
      let text =
        #"{"parent":1,"channel":2,"marks":3,"takes_over":false,"left_out":{},"counts":{"crashes":0,"restarts":0},"listeners":\#(listeners)}"#
      #expect(ServingOrder(text) == nil)
    }
  }

  @Test func `messages come whole and in order, and the end is seen`() throws {
    var ends: [CInt] = [0, 0]
    #expect(linux_message_pair(&ends) == 0)
    for end in ends { linux_adopt(end) }
    let sent: [ServingMessage] = [
      .serving(failed: ["10-a.json"], stateVersion: 1), .failed("why"), .stopped,
      .forgive(plugin: "one"), .retire, .signal(SIGTERM),
      .counted(CrashCounts(crashes: 3, restarts: 2)),
    ]
    for message in sent { #expect(message.send(on: ends[0])) }
    for message in sent {
      guard case .message(let received) = ServingMessage.receive(on: ends[1]) else {
        Issue.record("no message")
        return
      }
      #expect(received == message)
    }
    guard case .nothing = ServingMessage.receive(on: ends[1]) else {
      Issue.record("more than was sent")
      return
    }
    close(ends[0])
    guard case .end = ServingMessage.receive(on: ends[1]) else {
      Issue.record("the end was not seen")
      return
    }
    close(ends[1])
  }

  @Test func `sockets are divided so that each loop has one and each socket a loop`() throws {
    let sockets = try ListeningSockets.open(host: "127.0.0.1", port: 0, count: 3)
    defer { for socket in sockets { close(socket) } }
    #expect(Set(sockets.map { ListeningSockets.port(of: $0) }).count == 1)
    #expect(
      try ListeningSockets.divide(sockets, over: 2) == [[sockets[0], sockets[2]], [sockets[1]]]
    )
    let shares = try ListeningSockets.divide([sockets[0]], over: 3)
    #expect(shares[0] == [sockets[0]])
    #expect(shares.allSatisfy { $0.count == 1 } && Set(shares.joined()).count == 3)
    for share in shares.dropFirst() {
      #expect(ListeningSockets.port(of: share[0]) == ListeningSockets.port(of: sockets[0]))
      close(share[0])
    }
  }

  @Test func `a service manager's sockets are those of this process alone, and listen`() throws {
    #expect(try ListeningSockets.passed([:]) == nil)
    #expect(try ListeningSockets.passed(["LISTEN_PID": "1", "LISTEN_FDS": "1"]) == nil)
    #expect(try ListeningSockets.passed(["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "0"]) == nil)
    for number in ["1025", "-1", "two"] {
      #expect(throws: SystemError(call: "LISTEN_FDS", code: EINVAL)) {
        try ListeningSockets.passed(["LISTEN_PID": "\(getpid())", "LISTEN_FDS": number])
      }
    }
    #expect(throws: SystemError.self) {
      // Whatever the test's descriptors from 3 on are, not all of a thousand listen.
      try ListeningSockets.passed(["LISTEN_PID": "\(getpid())", "LISTEN_FDS": "1000"])
    }
  }

  @Test func `a plugin in quarantine is refused until it is asked for by either name`() {
    let lifted = Mutex<[String]>([])
    let quarantine = Quarantine(["one": "why", "two": "why"]) { id in
      lifted.withLock { $0.append(id) }
    }
    #expect(quarantine.refusal(of: "one", file: "first") == "why")
    #expect(quarantine.refusal(of: "three", file: "third") == nil)
    quarantine.lift("first")
    quarantine.lift("first")
    quarantine.lift("two")
    quarantine.lift("three")
    #expect(quarantine.refusal(of: "one", file: "first") == nil)
    #expect(quarantine.refusal(of: "two", file: "second") == nil)
    #expect(lifted.withLock { $0 } == ["one", "two"])
  }
}
