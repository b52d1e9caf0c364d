import CLinux
import Testing
import Wire

@testable import Gateway

@Suite("Messages of /ws")
struct SocketMessagesTests {
  private static let topics = [
    TopicDeclaration(name: "news", scope: "", isPublic: true, plugin: "x"),
    TopicDeclaration(name: "jobs", scope: "", isPublic: false, plugin: "x"),
    TopicDeclaration(name: "audit", scope: "admin", isPublic: false, plugin: "x"),
  ]

  private func scene(_ change: (inout Settings) -> Void = { _ in }) throws -> WebSocketScene {
    let bench = try ServerBench(change)
    bench.core.publish(RouteTable(pluginRoutes: []), topics: Self.topics)
    let scene = try WebSocketScene(bench)
    _ = scene.hear()
    return scene
  }

  private func auth(_ scopes: String = #"["read"]"#, in seconds: Int64 = 3600) -> String {
    let end = linux_realtime() / 1_000_000_000 + seconds
    let claims = #"{"sub":"user1","exp":\#(end),"scope":\#(scopes)}"#
    return #"{"type":"auth","token":"\#(String(decoding: token(claims), as: UTF8.self))"}"#
  }

  @Test func `begin with a welcome`() throws {
    let bench = try ServerBench()
    bench.core.health.run("fog", version: "1.0.0")
    let welcome = try WebSocketScene(bench).hear()
    #expect(welcome.count == 1)
    #expect(welcome.first?["type"] == "connection_established")
    #expect(welcome.first?["authenticated"] == false)
    #expect(welcome.first?["services"] == ["fog": true])
  }

  @Test func `ping and get_status are answered`() throws {
    let scene = try scene()
    let pong = try #require(scene.say(#"{"type":"ping"}"#).first)
    #expect(pong["type"] == "pong")
    let stamp = try #require(pong["timestamp"]?.asString.flatMap { Timestamp.parse($0) })
    #expect(abs(stamp - linux_realtime()) < 5_000_000_000)
    let status = scene.say(#"{"type":"get_status"}"#)
    #expect(status.first?["type"] == "status_update" && status.first?["services"] != nil)
  }

  @Test(arguments: [
    ("{", "JSON_DECODE_ERROR"), ("", "JSON_DECODE_ERROR"), ("[1]", "PROCESSING_ERROR"),
    ("5", "PROCESSING_ERROR"), ("{}", "UNKNOWN_TYPE"), (#"{"type":"no"}"#, "UNKNOWN_TYPE"),
    (#"{"type":5}"#, "UNKNOWN_TYPE"), (#"{"type":"subscribe"}"#, "VALIDATION_ERROR"),
    (#"{"type":"subscribe","topics":[]}"#, "VALIDATION_ERROR"),
    (#"{"type":"subscribe","topics":"news"}"#, "VALIDATION_ERROR"),
    (#"{"type":"subscribe","topics":["news",5]}"#, "VALIDATION_ERROR"),
    (#"{"type":"auth"}"#, "VALIDATION_ERROR"), (#"{"type":"auth","token":""}"#, "VALIDATION_ERROR"),
    (#"{"type":"auth","token":"x"}"#, "AUTHENTICATION_REQUIRED"),
  ])
  func `what cannot be understood gets an error, and the connection goes on`(
    _ text: String,
    _ code: String
  ) throws {
    let scene = try scene()
    let answer = scene.say(text)
    #expect(answer.count == 1)
    #expect(answer.first?["type"] == "error" && answer.first?["code"] == .string(code))
    #expect(answer.first?["message"]?.asString?.isEmpty == false)
    #expect(scene.closeCode == nil)
    #expect(scene.say(#"{"type":"ping"}"#).first?["type"] == "pong")
  }

  @Test func `topics are chosen and given back, unknown and forbidden ones by name`() throws {
    let scene = try scene()
    #expect(
      scene.say(#"{"type":"subscribe","topics":["news"]}"#).first?["topics"] == ["news"]
    )
    let mixed = scene.say(#"{"type":"subscribe","topics":["nothing","jobs","news"]}"#)
    #expect(mixed.map { $0["code"] } == ["UNKNOWN_TOPIC", "FORBIDDEN_TOPIC", nil])
    #expect(mixed[0]["topics"] == ["audit", "jobs", "news"])
    #expect(mixed[1]["message"]?.asString?.contains(#"{"type":"auth""#) == true)
    #expect(mixed[2]["topics"] == ["news"])
    #expect(
      scene.say(#"{"type":"unsubscribe","topics":["news"]}"#).first?["topics"] == .array([])
    )
  }

  @Test func `who has not chosen leaves one topic and keeps the rest`() throws {
    let scene = try scene()
    _ = scene.say(auth(#"["admin"]"#))
    let left = scene.say(#"{"type":"unsubscribe","topics":["news"]}"#)
    #expect(left.last?["topics"] == ["audit", "jobs"])
  }

  @Test func `a choice of unknown topics alone is no choice`() throws {
    let scene = try scene()
    let answer = scene.say(#"{"type":"subscribe","topics":["nothing"]}"#)
    #expect(answer.map { $0["code"] } == ["UNKNOWN_TOPIC", nil])
    #expect(answer.last?["topics"] == ["news"])
  }

  @Test func `a token opens topics, and only those its scopes allow`() throws {
    let scene = try scene()
    let known = scene.say(auth())
    #expect(known.first?["type"] == "authenticated" && known.first?["subject"] == "user1")
    #expect(known.first?["scopes"] == ["read"])
    let answer = scene.say(#"{"type":"subscribe","topics":["jobs","audit"]}"#)
    #expect(answer.map { $0["code"] } == ["FORBIDDEN_TOPIC", nil])
    #expect(answer.last?["topics"] == ["jobs"])
    _ = scene.say(auth(#"["admin"]"#))
    #expect(
      scene.say(#"{"type":"subscribe","topics":["audit"]}"#).last?["topics"] == ["audit", "jobs"]
    )
  }

  @Test func `topics up to the limit and not one past it`() throws {
    let scene = try scene { $0.limits.topicsPerConnection = 2 }
    _ = scene.say(auth(#"["admin"]"#))
    #expect(
      scene.say(#"{"type":"subscribe","topics":["news","jobs"]}"#).last?["topics"]
        == ["jobs", "news"]
    )
    let over = scene.say(#"{"type":"subscribe","topics":["audit"]}"#)
    #expect(over.map { $0["code"] } == ["LIMIT_EXCEEDED", nil])
    #expect(over.last?["topics"] == ["jobs", "news"])
  }

  @Test func `attempts to authenticate count against the address`() throws {
    let scene = try scene()
    for _ in 0..<60 {
      #expect(
        scene.say(#"{"type":"auth","token":"x"}"#).first?["code"] == "AUTHENTICATION_REQUIRED"
      )
    }
    #expect(scene.say(auth()).first?["code"] == "RATE_LIMIT_EXCEEDED")
  }

  @Test func `events go to who may have them and has not chosen otherwise`() throws {
    let scene = try scene()
    let members = Array(#""n":1"#.utf8)
    func heard(_ topic: String, _ subject: String = "") -> [JSON] {
      scene.bench.server.deliver(topic: topic, subject: subject, members: members)
      return scene.hear()
    }
    #expect(heard("news").first?["sequence"] == 1)
    #expect(heard("news").first?["n"] == 1)
    #expect(heard("nothing").isEmpty && heard("jobs").isEmpty && heard("news", "user1").isEmpty)
    _ = scene.say(auth())
    #expect(heard("jobs").first?["sequence"] == 3)
    #expect(heard("audit").isEmpty && heard("jobs", "user2").isEmpty)
    #expect(heard("jobs", "user1").count == 1)
    _ = scene.say(#"{"type":"subscribe","topics":["news"]}"#)
    #expect(heard("jobs").isEmpty)
    #expect(heard("news").first?["type"] == "news")
  }

  @Test func `an event without members is an object all the same, and has the time of now`() throws
  {
    let scene = try scene()
    scene.bench.server.deliver(topic: "news", subject: "", members: Array(" \n".utf8))
    let event = try #require(scene.hear().first)
    #expect(event.asMembers?.map(\.name) == ["type", "sequence", "timestamp"])
    let stamp = try #require(event["timestamp"]?.asString.flatMap { Timestamp.parse($0) })
    #expect(abs(stamp - linux_realtime()) < 5_000_000_000)
  }
}
