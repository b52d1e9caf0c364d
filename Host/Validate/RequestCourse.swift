import Wire

/// What one request of a test brings, and what becomes of its client.
struct RequestCourse: Sendable {
  /// When the client leaves.
  enum Leaving: Sendable, Equatable {
    /// Before the plugin hears of the request: its answer comes too late.
    case before
    /// When `request` has returned and an answer is awaited.
    case waiting
    /// Behind so many parts of the body.
    case afterPart(Int)
    /// Right behind `start`.
    case atStart
    /// At the write of this number.
    case atWrite(Int)
  }

  /// What is done, for messages.
  var words: String
  var method: String?
  var contentType = "application/json"
  /// The body, in the parts in which a streaming route gets it.
  var parts: [[UInt8]] = []
  var parameter = Array("x".utf8)
  var query: [UInt8] = []
  var leaving: Leaving?
  /// GW_CANCEL_*.
  var reason = CancelReason.peerGone
  /// Whether the client takes each piece of a streamed answer late.
  var isSlow = false

  init(_ words: String) { self.words = words }

  /// A request with a body in one part.
  init(_ words: String, _ body: [UInt8], type: String = "application/json") {
    self.words = words
    parts = body.isEmpty ? [] : [body]
    contentType = type
  }
}

extension RequestCourse {
  /// Bytes of the largest body a test sends, whatever a route takes.
  static let maxBytes: UInt64 = 8 * 1024 * 1024

  /// Requests with every kind of body, and of what else a client may send.
  ///
  /// - Parameters:
  ///   - route: Which is asked.
  ///   - random: Fills what is random.
  /// - Returns: One request of each kind.
  static func all(of route: ScriptedRoute, _ random: inout SeededRandom) -> [RequestCourse] {
    var courses = [
      RequestCourse("an empty body"),
      RequestCourse("the body {}", Array("{}".utf8)),
      RequestCourse("a body of random bytes", random.bytes(.random(in: 1...4096, using: &random))),
      RequestCourse(
        "a body that is not UTF-8",
        Array("{\"a\":\"".utf8) + [0xFF, 0xC0] + [0x22, 0x7D]
      ),
      RequestCourse("half a JSON object", Array("{\"query\":\"x\",".utf8)),
      RequestCourse("10,000 nested lists", Array(repeating: UInt8(ascii: "["), count: 10_000)),
      form(&random),
    ]
    let huge = Int(min(route.maxBody, maxBytes))
    let inside = max(huge - 12, 0)
    courses.append(
      RequestCourse(
        "a body of \(huge) bytes",
        Array("{\"query\":\"".utf8) + Array(repeating: UInt8(ascii: "a"), count: inside)
          + Array("\"}".utf8)
      )
    )
    if !route.parameters.isEmpty {
      let values: [(String, [UInt8])] = [
        ("a parameter of 300 bytes", Array(repeating: UInt8(ascii: "p"), count: 300)),
        ("a parameter that is not UTF-8", [0xFF, 0xFE, UInt8(ascii: "/")]),
        ("a parameter with quotes and line ends", Array("\"'\\\r\n\t{}".utf8)),
      ]
      for (words, value) in values {
        var course = RequestCourse(words)
        course.parameter = value
        courses.append(course)
      }
    }
    for query in ["limit=99999999999999999999&limit=-1", "%FF%00=%", "a=1&a=2&=&&%20"] {
      var course = RequestCourse("the query \(query)")
      course.query = Array(query.utf8)
      courses.append(course)
    }
    if route.method == "GET" {
      var head = RequestCourse("HEAD")
      head.method = "HEAD"
      courses.append(head)
    }
    return courses
  }

  /// A form with one small file.
  static func form(_ random: inout SeededRandom) -> RequestCourse {
    let boundary = "b\(UInt32.random(in: .min ... .max, using: &random))"
    let text = """
      --\(boundary)\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\
      Content-Type: text/plain\r\n\r\nBees dance to tell where the nectar is.\r\n--\(boundary)--\r\n
      """
    return RequestCourse(
      "a form with a file",
      Array(text.utf8),
      type: "multipart/form-data; boundary=\(boundary)"
    )
  }

  /// The same body, cut into random parts, some of one byte and some empty.
  func split(_ random: inout SeededRandom) -> RequestCourse {
    var cut = self
    cut.words += ", in parts"
    cut.parts = []
    var rest = parts.flatMap(\.self)[...]
    while !rest.isEmpty {
      let most = [1, 2, 7, 4096].randomElement(using: &random) ?? 1
      let count = min(Int.random(in: 0...most, using: &random), rest.count)
      cut.parts.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return cut
  }
}
