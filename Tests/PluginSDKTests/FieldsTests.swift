import GatewayPlugin
import Testing

@Suite("Fields collect every error")
struct FieldsTests {
  private func errors(
    _ text: String,
    unknown: Fields.Unknown = .refused,
    _ read: (inout Fields) -> Void
  ) throws -> [String] {
    var fields = Fields(try JSON.parse(text))
    read(&fields)
    do throws(Failure) {
      try fields.finish(unknown: unknown)
      return []
    } catch {
      #expect(error.status == 422)
      #expect(error.code == "VALIDATION_ERROR")
      return (error.details?.asArray ?? []).map {
        "\($0["field"]?.asString ?? ""): \($0["reason"]?.asString ?? "")"
      }
    }
  }

  @Test func `reads what is right`() throws {
    let text = """
      {"s":"ä","n":50,"d":0.5,"b":true,"c":"fast","o":{"x":1},"l":["a"],"p":[{"y":2}],"z":null}
      """
    var seen: [String] = []
    let found = try errors(text) { fields in
      seen.append(fields.string("s", 1...1))
      seen.append("\(fields.integer("n", 1...50))")
      seen.append("\(fields.number("d", 0...1))")
      seen.append("\(fields.bool("b"))")
      seen.append(fields.choice("c", ["fast", "slow"]))
      seen.append("\(fields.object("o") { $0.integer("x") })")
      seen.append(contentsOf: fields.strings("l", 1...1))
      seen.append("\(fields.objects("p", 0...9) { $0.integer("y") })")
      seen.append(fields.string("z", default: "absent"))
      seen.append("\(fields.optionalInteger("q") ?? -1)")
      seen.append("\(fields.integer("r", 1...50, default: 10))")
    }
    #expect(found.isEmpty)
    #expect(
      seen == ["ä", "50", "0.5", "true", "fast", "1", "a", "[2]", "absent", "-1", "10"]
    )
  }

  @Test func `a field that is refused already keeps its first error`() throws {
    let found = try errors(#"{"id":"x","list":[{"id":""}]}"#) { fields in
      _ = fields.string("id", 2...64)
      fields.refuse("id", "must be hexadecimal")
      _ = fields.string("name", 1...9)
      fields.refuse("name", "must be a word")
      _ = fields.objects("list", 1...1) { part in
        _ = part.string("id", 1...9)
        part.refuse("id", "must be hexadecimal")
      }
      fields.refuse("list[0].id", "must be another")
    }
    #expect(
      found == [
        "id: must be text of 2 to 64 characters, not 1", "name: is required",
        "list[0].id: must be text of 1 to 9 characters, not 0",
      ]
    )
  }

  @Test func `names each bad field once, with its place`() throws {
    let text = """
      {"s":"","n":51,"m":0,"t":"x","b":1,"c":"medium","o":{"x":"no","w":1},"l":["a",2],"more":1}
      """
    let found = try errors(text) { fields in
      _ = fields.string("s", 1...5000, default: "d")
      _ = fields.integer("n", 1...50, default: 10)
      _ = fields.integer("m", 1...50)
      _ = fields.integer("t", 1...50)
      _ = fields.bool("b")
      _ = fields.choice("c", ["fast", "slow"])
      _ = fields.object("o") { $0.integer("x", 1...2) }
      _ = fields.strings("l", 0...5)
      _ = fields.string("missing")
    }
    #expect(
      found == [
        "s: must be text of 1 to 5000 characters, not 0",
        "n: must be a whole number of 1 to 50, not 51",
        "m: must be a whole number of 1 to 50, not 0",
        "t: must be a whole number of 1 to 50",
        "b: must be true or false",
        "c: must be one of fast, slow",
        "o.x: must be a whole number of 1 to 2",
        "o.w: is not known here",
        "l[1]: must be text of 0 to 65536 characters",
        "missing: is required",
        "more: is not known here",
      ]
    )
  }

  @Test(arguments: [(4999, 0), (5000, 0), (5001, 1)])
  func `counts code points at the edge`(_ count: Int, _ wanted: Int) throws {
    let text = "{\"s\":\"\(String(repeating: "é", count: count))\"}"
    #expect(try errors(text) { _ = $0.string("s", 1...5000) }.count == wanted)
  }

  @Test func `passes over unknown names when told to`() throws {
    #expect(try errors("{\"a\":1}", unknown: .ignored) { _ in }.isEmpty)
  }

  @Test(arguments: ["[]", "1", "null", "\"x\""])
  func `refuses what is not an object`(_ text: String) throws {
    #expect(try errors(text) { _ in } == [": must be a JSON object"])
  }
}
