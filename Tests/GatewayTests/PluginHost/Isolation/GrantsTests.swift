import Testing

@testable import Gateway

@Suite("What a file grants a process") struct GrantsTests {
  @Test func `the words of a file are its grants`() throws {
    var grants = Grants()
    for word in ["network", "spawn", "read:/srv/models", "write:/var/spool/x"] {
      let isGrant = grants.add(word)
      #expect(isGrant)
    }
    #expect(grants.network && grants.spawn)
    #expect(grants.readable == ["/srv/models"])
    #expect(grants.writable == ["/var/spool/x"])
  }

  @Test(arguments: [
    "", "Network", "net work", "read", "read:", "read:relative", "exec:/bin", "write:/a\0b",
  ])
  func `what is no grant is refused`(_ word: String) {
    var grants = Grants()
    let isGrant = grants.add(word)
    #expect(!isGrant)
    #expect(grants == Grants())
  }

  @Test func `a file says where its plugin runs`() throws {
    let text =
      #"{"library":"x","isolation":"process","grants":["network"],"limits":{"memory_bytes":16777216}}"#
    let file = try PluginFile(Array(text.utf8), path: "10-x.json")
    #expect(file.isIsolated && file.grants.network && !file.grants.spawn)
    #expect(file.memoryBytes == 16 << 20)
    #expect(try !PluginFile(Array(#"{"library":"x"}"#.utf8), path: "10-x.json").isIsolated)
  }
}
