import Testing
import Wire

@Suite("JSON values")
struct JSONTests {
  @Test func `literals keep the order of members`() {
    let value: JSON = ["b": 1, "a": [true, nil, 1.5, "x"]]
    #expect(value.text == #"{"b":1,"a":[true,null,1.5,"x"]}"#)
  }

  @Test func `accessors answer nil for another kind`() {
    let value: JSON = ["name": "x", "count": 3, "ratio": 0.5, "on": false, "list": [1]]
    #expect(value["name"]?.asString == "x")
    #expect(value["count"]?.asInteger == 3)
    #expect(value["count"]?.asNumber == 3)
    #expect(value["ratio"]?.asNumber == 0.5)
    #expect(value["ratio"]?.asInteger == nil)
    #expect(value["on"]?.asBool == false)
    #expect(value["list"]?.asArray == [1])
    #expect(value.asMembers?.count == 5)
    #expect(value["missing"] == nil)
    #expect(value["name"]?.asBool == nil)
    #expect(value["on"]?.asString == nil)
    #expect(JSON.array([])["name"] == nil)
  }

  @Test func `a number without remainder is a whole number`() {
    #expect(JSON.number(100).asInteger == 100)
    #expect(JSON.number(-0x1p63).asInteger == .min)
    for value in [1e300, 0x1p63, -0x1.0000000000001p63, 0.5, .nan, .infinity] {
      #expect(JSON.number(value).asInteger == nil)
    }
  }
}
