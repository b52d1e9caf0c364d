import Foundation
import Peering
import Testing

@testable import GatewayPlugin
@testable import P2PFog

@Suite("Settings of the plugin")
struct P2PFogSettingsTests {
  static let peer = Identity(seed: [UInt8](repeating: 1, count: 32)).id

  static func read(_ text: String) throws -> P2PFogSettings {
    try P2PFogSettings(Settings(json: try JSON.parse(Array(text.utf8))))
  }

  /// What a refusal says; `nil` where the settings are taken.
  static func refusal(_ text: String) -> String? {
    do {
      _ = try read(text)
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test("without any, the peer listens on loopback and every part has its defaults")
  func defaults() throws {
    let settings = try Self.read("{}")
    #expect(settings.network.listen == Endpoint(text: "127.0.0.1:0"))
    #expect(settings.network.group == nil && !settings.network.mesh.isDiscoverable)
    #expect(settings.fog == FogSettings() && settings.node == WorkerSettings())
    #expect(settings.admitsIntroduced && settings.peers.isEmpty && settings.join.isEmpty)
    #expect(settings.maxMessagesPerPeer == 50_000 && settings.maxMessageBytesPerPeer == 128 << 20)
  }

  @Test("the file that comes with the gateway is taken, jobs and node with it")
  func shipped() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(
      contentsOf: root.appending(path: "plugins.d/30-p2p-fog.json"),
      encoding: .utf8
    )
    let lines = text.split(separator: "\n").map { line in
      line.trimmingCharacters(in: .whitespaces).hasPrefix("//")
        ? "" : line.components(separatedBy: " //")[0]
    }
    let file = try JSON.parse(Array(lines.joined(separator: "\n").utf8))
    let settings = try P2PFogSettings(Settings(json: try #require(file["settings"])))
    #expect(settings.fog.maxAttempts == 5 && settings.node.maxJobs == 8)
    #expect(settings.node.isEnabled && settings.network.overlay.hops == 3)
    let defaults = try Self.read("{}")
    #expect(settings.maxMessagesPerPeer == defaults.maxMessagesPerPeer)
    #expect(settings.maxMessageBytesPerPeer == defaults.maxMessageBytesPerPeer)
    #expect(settings.minFreeBytes == defaults.minFreeBytes)
  }

  @Test("what stands in fog and node is read, and what is wrong there is named by its place")
  func parts() throws {
    let settings = try Self.read(
      #"{"fog":{"payment":"off","lease_seconds":30},"node":{"enabled":false,"max_jobs":2}}"#
    )
    #expect(!settings.fog.isPaid && settings.fog.leaseSeconds == 30)
    #expect(!settings.node.isEnabled && settings.node.maxJobs == 2)
    let refusal = try #require(
      Self.refusal(#"{"fog":{"max_attempts":0},"node":{"colour":1},"bitchat":{"neighbours":1}}"#)
    )
    for name in [
      "settings.fog.max_attempts", "settings.node.colour", "settings.bitchat.neighbours",
    ] {
      #expect(refusal.contains(name), "\(refusal)")
    }
    #expect(refusal.components(separatedBy: "settings.fog.max_attempts").count == 2, "said once")
  }

  @Test(
    "every bad setting is refused by its name",
    arguments: [
      (#"{"listen":"localhost:1"}"#, "listen"), (#"{"listen":"0.0.0.0:1"}"#, "advertise"),
      (#"{"advertise":"1.2.3.4:0"}"#, "advertise"), (#"{"advertise":"0.0.0.0:5"}"#, "advertise"),
      (#"{"name":"a\u0007b"}"#, "name"), (#"{"name":"\u202Eevil"}"#, "name"),
      (#"{"name":"\#(String(repeating: "é", count: 33))"}"#, "name"),
      (#"{"discovery_group":"10.0.0.1:7"}"#, "discovery_group"),
      (#"{"discovery_group":"239.1.1.1:0"}"#, "discovery_group"),
      (#"{"listen":"[::1]:0","discovery_group":"239.1.1.1:7"}"#, "discovery_group"),
      (#"{"peers":["\#(peer)"]}"#, "peers[0]"), (#"{"peers":["\#(peer)@1.2.3.4:0"]}"#, "peers[0]"),
      (#"{"peers":["\#(peer)@0.0.0.0:5"]}"#, "peers[0]"), (#"{"join":["http://x"]}"#, "join[0]"),
      (#"{"betanet":{"hops":7}}"#, "betanet.hops"),
      (#"{"betanet":{"hops":2,"minimum_hops":3}}"#, "betanet.minimum_hops"),
      (#"{"betanet":{"cover_cells_per_second":101}}"#, "betanet.cover_cells_per_second"),
      (#"{"bitchat":{"store_seconds":0}}"#, "bitchat.store_seconds"),
      (#"{"bitchat":{"probe_milliseconds":99}}"#, "bitchat.probe_milliseconds"),
      (#"{"min_free_bytes":-1}"#, "min_free_bytes"), (#"{"fog":7}"#, "fog"),
      (#"{"max_messages_per_peer":0}"#, "max_messages_per_peer"),
      (#"{"max_messages_per_peer":1000000001}"#, "max_messages_per_peer"),
      (#"{"max_message_bytes_per_peer":0}"#, "max_message_bytes_per_peer"),
      (#"{"network_secret_file":"/nowhere/at/all"}"#, "network_secret_file"),
      (#"{"colour":"red"}"#, "colour"),
    ]
  )
  func refusals(_ text: String, _ name: String) throws {
    let refusal = try #require(Self.refusal(text), "\(text) was taken")
    #expect(refusal.contains("settings.\(name) "), "\(refusal)")
  }

  @Test("several bad settings are named at once")
  func together() throws {
    let refusal = try #require(Self.refusal(#"{"listen":"x","name":7,"peers":["y"]}"#))
    for name in ["listen", "name", "peers[0]"] { #expect(refusal.contains("settings.\(name) ")) }
  }

  @Test("a link that is refused is not repeated")
  func secretsStay() throws {
    let link = "aivillage://1.2.3.4:5/join?peer=\(Self.peer)&secret=AAAAAAAAAAAAAAAAAAAAAAAA&node=1"
    let refusal = try #require(Self.refusal(#"{"join":["\#(link)"]}"#))
    #expect(!refusal.contains("AAAA"))
  }

  @Test("the network's secret is one that only its owner can read, of at least 32 bytes")
  func networkSecret() throws {
    let folder = FogFolder()
    let path = folder.path + "/network"
    let text = #"{"network_secret_file":"\#(path)"}"#
    func write(_ bytes: String, _ mode: Int) throws {
      try Data(bytes.utf8).write(to: URL(filePath: path))
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }
    let secret = String(repeating: "k", count: 32)
    try write(secret + "\n", 0o640)
    #expect(Self.refusal(text)?.contains("0600") == true)
    try write(String(secret.dropLast()) + "\n", 0o600)
    let short = try #require(Self.refusal(text))
    #expect(short.contains("32 bytes") && !short.contains("kkk"))
    try write(secret + "\r\n", 0o600)
    let settings = try Self.read(text)
    #expect(settings.network.mesh.networkSecret == Array(secret.utf8))
    #expect(settings.network.overlay.networkSecret == Array(secret.utf8))
  }
}
