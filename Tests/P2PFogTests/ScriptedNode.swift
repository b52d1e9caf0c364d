import GatewayPlugin
import Peering
import PluginStorage

@testable import P2PFog

/// A node that does what a test says; it keeps the contract as a real one would.
struct ScriptedNode {
  enum Manner: Equatable {
    /// Runs each job for so many milliseconds.
    case works(Int)
    /// Takes jobs and says that they run, for ever.
    case hangs
    /// Was switched off: no heartbeats, no answers.
    case dead
    case refuses(String)
    /// Answers nothing, though it sends heartbeats.
    case deaf
    /// Ends each job like this.
    case ends(outcome: String, exitCode: Int?, reason: String)
  }

  struct Run {
    let offer: LeaseOffer
    let at: UInt64
    var isDone = false
  }

  let id: PeerID
  var report = NodeReport()
  var manner = Manner.works(500)
  var runs: [String: Run] = [:]
  var isRegistered = false
  /// Leases that it has taken in all.
  var taken: [String] = []
  var cancelled: [String] = []
  /// Of every result: what it is named and has in it.
  var outputs: [(path: String, bytes: [UInt8])] = [("result.txt", Array("done\n".utf8))]

  init(_ number: UInt8) {
    guard let id = PeerID([UInt8](repeating: number, count: 32)) else { fatalError("32 bytes") }
    self.id = id
    report.name = "node-\(number)"
    report.region = number.isMultiple(of: 2) ? "east" : "west"
    report.cpuMillicores = 4000
    report.memoryMegabytes = 8192
    report.diskMegabytes = 20_000
    report.memoryFreeMegabytes = 8000
    report.diskFreeMegabytes = 18_000
    report.capabilities = ["train", "inference", "process", "model:m1", "region:x"]
  }

  /// Answers a call of the coordinator.
  mutating func answer(
    _ method: String,
    _ body: CallBody,
    now: UInt64
  ) throws(CallFailure) -> CallBody {
    if manner == .dead { throw .unreachable("it is switched off") }
    if manner == .deaf { throw .timeout }
    switch method {
    case "fog.lease":
      if case .refuses(let code) = manner { throw .refused(code: code, message: "says the test") }
      var fields = Fields(body.json)
      let offer = LeaseOffer(&fields)
      if runs[offer.leaseID] == nil {
        runs[offer.leaseID] = Run(offer: offer, at: now)
        taken.append(offer.leaseID)
      }
      return CallBody()
    case "fog.cancel":
      if let id = body.json["lease_id"]?.asString {
        runs[id] = nil
        cancelled.append(id)
      }
      return CallBody()
    default: throw .refused(code: "UNKNOWN_METHOD", message: method)
    }
  }

  typealias Call = (_ method: String, _ body: CallBody) throws(CallFailure) -> CallBody

  /// Does what is due: heartbeat, and the ends of jobs.
  mutating func beat(_ now: UInt64, _ call: Call) {
    if manner == .dead { return }
    do throws(CallFailure) {
      if !isRegistered {
        _ = try call("fog.register", CallBody(["report": report.json]))
        isRegistered = true
      }
      let leases = runs.values.filter { !$0.isDone }.map { run -> JSON in
        [
          "lease_id": .string(run.offer.leaseID), "state": "running",
          "usage": usage(run, now).json, "progress": 0.5,
        ]
      }
      let answer = try call(
        "fog.heartbeat",
        CallBody(["report": report.json, "leases": .array(leases)])
      )
      for cancel in answer.json["cancel"]?.asArray ?? [] {
        guard let id = cancel["lease_id"]?.asString else { continue }
        runs[id] = nil
        cancelled.append(id)
      }
    } catch .refused(let code, _) where code == "UNKNOWN_NODE" {
      isRegistered = false
    } catch {
      // The next beat tries again.
    }
    for run in runs.values.sorted(by: { $0.offer.leaseID < $1.offer.leaseID }) {
      finish(run, now, call)
    }
  }

  private func usage(_ run: Run, _ now: UInt64) -> Usage {
    var usage = Usage()
    usage.wallMilliseconds = Int((now - run.at) / 1_000_000)
    usage.cpuMilliseconds = usage.wallMilliseconds
    usage.memoryPeakMegabytes = 10
    return usage
  }

  private mutating func finish(_ run: Run, _ now: UInt64, _ call: Call) {
    var end: JSON
    switch manner {
    case .works(let milliseconds):
      guard now >= run.at + UInt64(milliseconds) * 1_000_000 else { return }
      end = ["outcome": "succeeded", "exit_code": 0, "reason": ""]
    case .ends(let outcome, let code, let reason):
      end = [
        "outcome": .string(outcome), "reason": .string(reason),
        "exit_code": code.map { .integer(Int64($0)) } ?? .null,
      ]
    default: return
    }
    let lease = run.offer.leaseID
    end = .object(
      (end.asMembers ?? []) + [
        .init(name: "lease_id", value: .string(lease)),
        .init(name: "usage", value: usage(run, now).json),
      ]
    )
    do throws(CallFailure) {
      let line = Array("line of \(lease)\n".utf8)
      let log: JSON = ["lease_id": .string(lease), "offset": 0, "stream": "stdout"]
      _ = try call("fog.log", CallBody(log, bytes: line))
      if end["outcome"] == "succeeded" {
        for output in outputs { try send(output, lease, call) }
      }
      _ = try call("fog.finish", CallBody(end))
      runs[lease] = nil
    } catch .refused(let code, _) where code == "LEASE_LOST" || code == "QUOTA" {
      runs[lease] = nil
    } catch {
      // The next beat tries again.
    }
  }

  private func send(
    _ output: (path: String, bytes: [UInt8]),
    _ lease: String,
    _ call: Call
  ) throws(CallFailure) {
    let digest = SHA256.hexadecimal(of: String(decoding: output.bytes, as: UTF8.self))
    var at = 0
    repeat {
      let piece = Array(output.bytes[at..<min(output.bytes.count, at + 3)])
      let answer = try call(
        "fog.output",
        CallBody(
          [
            "lease_id": .string(lease), "path": .string(output.path),
            "offset": .integer(Int64(at)), "size": .integer(Int64(output.bytes.count)),
            "sha256": .string(digest),
          ],
          bytes: piece
        )
      )
      at = Int(answer.json["offset"]?.asInteger ?? 0)
    } while at < output.bytes.count
  }
}
