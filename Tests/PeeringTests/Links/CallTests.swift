import Peering
import Testing

@Suite struct CallTests {
  private static let second: UInt64 = 1_000_000_000

  private static func echo(_ method: String, _ body: CallContent) -> Result<
    CallContent, CallRefusal
  > {
    method == "refuse"
      ? .failure(CallRefusal(code: "NO", message: "Not today."))
      : .success(body)
  }

  private static func call(
    _ network: VirtualNetwork,
    _ number: UInt64,
    _ method: String = "echo",
    _ body: CallContent = CallContent(json: Array("{}".utf8))
  ) {
    let peer = network.peers[1].id
    network.with(0) { overlay, roster, now in
      overlay.call(
        number,
        to: peer,
        method: method,
        body: body,
        timeout: 30 * second,
        roster: roster,
        now: now
      )
    }
  }

  private static func results(_ network: VirtualNetwork) -> [UInt64: [CallResult]] {
    var results: [UInt64: [CallResult]] = [:]
    for case .answered(let call, let result) in network.peers[0].told {
      results[call, default: []].append(result)
    }
    return results
  }

  @Test("A call makes the link it needs, and brings back what was answered")
  func echoes() {
    let network = VirtualNetwork(2)
    network.peers[1].serve = Self.echo
    Self.call(network, 7)
    #expect(network.wait(5) { Self.results(network)[7] != nil })
    #expect(Self.results(network)[7] == [.answered(CallContent(json: Array("{}".utf8)))])
    #expect(network.peers[0].told.contains(.linkUp(network.peers[1].id)))
    #expect(network.peers[1].told.contains(.linkUp(network.peers[0].id)))
  }

  @Test("The largest body goes there and back, in any pieces", arguments: [1 << 30, 1000, 61])
  func largest(piece: Int) {
    let network = VirtualNetwork(2)
    network.piece = piece
    network.peers[1].serve = Self.echo
    let body = CallContent(
      json: [UInt8](repeating: 32, count: CallContent.jsonLimit),
      bytes: (0..<CallContent.bytesLimit).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    )
    Self.call(network, 1, "echo", body)
    #expect(network.wait(20) { Self.results(network)[1] != nil })
    #expect(Self.results(network)[1] == [.answered(body)])
  }

  @Test("One byte more than the largest body is refused before anything is sent")
  func tooLarge() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    Self.call(
      network,
      1,
      "echo",
      CallContent(json: [UInt8](repeating: 32, count: CallContent.jsonLimit + 1))
    )
    let bytes = [UInt8](repeating: 0, count: CallContent.bytesLimit + 1)
    Self.call(network, 2, "echo", CallContent(json: [], bytes: bytes))
    for call in 1...2 {
      guard case .refused(let refusal) = Self.results(network)[UInt64(call)]?.first else {
        Issue.record("call \(call) was not refused")
        continue
      }
      #expect(refusal.code == "TOO_LARGE")
    }
  }

  @Test("A refusal comes back with code and message")
  func refuses() {
    let network = VirtualNetwork(2)
    network.peers[1].serve = Self.echo
    Self.call(network, 1, "refuse")
    #expect(network.wait(5) { Self.results(network)[1] != nil })
    #expect(
      Self.results(network)[1] == [.refused(CallRefusal(code: "NO", message: "Not today."))]
    )
  }

  @Test(
    "A call without an answer ends once, by its timeout, and its late answer has nobody waiting"
  )
  func timesOut() {
    let network = VirtualNetwork(2)
    Self.call(network, 1)
    #expect(network.wait(40) { Self.results(network)[1] != nil })
    #expect(Self.results(network)[1] == [.timedOut])
    guard
      case .called(let token, _, _, _) = network.peers[1].told.last(where: {
        if case .called = $0 { true } else { false }
      })
    else {
      Issue.record("the call never came")
      return
    }
    network.run(for: Self.second)
    network.with(1) { overlay, _, now in
      let didWait = overlay.answer(token, .success(CallContent(json: [])), now: now)
      #expect(!didWait)
    }
    network.run(for: 60 * Self.second)
    #expect(Self.results(network)[1]?.count == 1)
  }

  @Test("A call ends once when its link is lost")
  func losesLink() {
    let network = VirtualNetwork(2)
    Self.call(network, 1)
    network.run(for: Self.second)
    network.kill(1)
    network.run(for: 60 * Self.second)
    #expect(Self.results(network)[1] == [.lost])
  }

  @Test("A call to a peer that nobody reaches ends as lost")
  func unreachable() {
    let network = VirtualNetwork(2)
    network.kill(1)
    Self.call(network, 1)
    #expect(Self.results(network)[1] == [.lost])
  }

  @Test("One call more than the limit is refused, and room comes back with an answer")
  func limit() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    for number in 1...65 { Self.call(network, UInt64(number)) }
    #expect(Self.results(network).count == 1)
    guard case .refused(let refusal) = Self.results(network)[65]?.first else {
      Issue.record("call 65 was not refused")
      return
    }
    #expect(refusal.code == "BUSY")
    network.run(for: Self.second)
    let tokens = network.peers[1].told.compactMap { action -> CallToken? in
      if case .called(let token, _, _, _) = action { token } else { nil }
    }
    #expect(tokens.count == 64)
    network.with(1) { overlay, _, now in
      for token in tokens {
        let didWait = overlay.answer(token, .success(CallContent(json: [])), now: now)
        #expect(didWait)
      }
    }
    network.run(for: Self.second)
    #expect(Self.results(network).count == 65)
    network.peers[1].serve = Self.echo
    Self.call(network, 66)
    network.run(for: Self.second)
    #expect(Self.results(network)[66]?.count == 1)
  }

  @Test(
    "Of many large answers at once those that the allowance holds come whole, the others are refused"
  )
  func allowance() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    network.peers[1].serve = { _, _ in
      .success(CallContent(json: [], bytes: [UInt8](repeating: 9, count: CallContent.bytesLimit)))
    }
    for number in 1...20 { Self.call(network, UInt64(number)) }
    network.run(for: 20 * Self.second)
    let answers = Self.results(network).values.joined()
    let whole = answers.count {
      if case .answered(let body) = $0 { body.bytes.count == 1 << 20 } else { false }
    }
    let refused = answers.count {
      if case .refused(let why) = $0 { why.code == "BUSY" } else { false }
    }
    #expect(whole + refused == 20)
    #expect(whole == 8)
  }

  @Test("Calls in both directions at once do not disturb one another")
  func bothWays() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    for index in 0...1 { network.peers[index].serve = Self.echo }
    let other = network.peers[0].id
    for number in 1...50 as ClosedRange<UInt64> {
      Self.call(network, number)
      network.with(1) { overlay, roster, now in
        overlay.call(
          number,
          to: other,
          method: "echo",
          body: CallContent(json: [UInt8(number)]),
          timeout: Self.second,
          roster: roster,
          now: now
        )
      }
    }
    network.run(for: Self.second)
    #expect(Self.results(network).count == 50)
    for case .answered(let call, let result) in network.peers[1].told {
      #expect(result == .answered(CallContent(json: [UInt8(call)])))
    }
  }
}
