import CGatewayPlugin

/// Every declared route, with every kind of request.
enum RequestTests {
  private static let needs = ["load.create"]

  static let all = [
    ValidatorTest(
      "request.answer",
      "no answer, two answers, a bad answer, or a crash, for any body, query or parameter",
      needs: needs,
      limit: .seconds(120)
    ) { subject throws(ValidatorTest.Stop) in
      try each(subject) { route, random in RequestCourse.all(of: route, &random) }
    },
    ValidatorTest(
      "request.split",
      "bodies of streaming routes in parts of any size",
      needs: needs,
      limit: .seconds(60)
    ) { subject throws(ValidatorTest.Stop) in
      try each(subject, of: { $0.terms.isStreaming }, "no route streams its body") { _, random in
        (0..<8).map { _ in RequestCourse.form(&random).split(&random) }
      }
    },
    ValidatorTest(
      "request.cancel",
      "a client that leaves: before the answer, while it waits, between parts, in a stream",
      needs: needs,
      limit: .seconds(60)
    ) { subject throws(ValidatorTest.Stop) in
      try each(subject) { route, random in cancelled(route, &random) }
    },
    ValidatorTest(
      "request.slow",
      "a client that takes a streamed answer slowly",
      needs: needs,
      limit: .seconds(60)
    ) { subject throws(ValidatorTest.Stop) in
      try each(
        subject,
        of: { unsafe $0.handler.writable != nil },
        "no route has writable"
      ) { _, random in
        [RequestCourse("a slow client"), .form(&random)].map { course in
          var slow = course
          slow.isSlow = true
          return slow
        }
      }
    },
  ]

  private static func cancelled(
    _ route: ScriptedRoute,
    _ random: inout SeededRandom
  ) -> [RequestCourse] {
    let reasons: [CancelReason] = [.peerGone, .deadline, .drain]
    var leavings: [(RequestCourse.Leaving, String)] = [
      (.before, "a client that has left before"), (.waiting, "a client that leaves while it waits"),
      (.atStart, "a client that leaves at the answer's start"),
      (.atWrite(1), "a client that leaves at the first write"),
      (.atWrite(2), "a client that leaves at the second write"),
    ]
    if route.terms.isStreaming {
      leavings += (0...4).map { (.afterPart($0), "a client that leaves after \($0) parts") }
    }
    return leavings.map { leaving, words in
      var course = RequestCourse.form(&random)
      if route.terms.isStreaming { course = course.split(&random) }
      if route.method == "GET" { course = RequestCourse(words) }
      course.words = words
      course.leaving = leaving
      course.reason = reasons.randomElement(using: &random) ?? .peerGone
      return course
    }
  }

  private static func each(
    _ subject: LibrarySubject,
    of wanted: (ScriptedRoute) -> Bool = { _ in true },
    _ none: String = "it has no routes",
    _ courses: (ScriptedRoute, inout SeededRandom) -> [RequestCourse]
  ) throws(ValidatorTest.Stop) -> String {
    let instance = try subject.active()
    let driver = RequestDriver(instance, subject)
    let routes = instance.host.routes.filter(wanted)
    var requests: [ScriptedRequest] = []
    var hasReturned = true
    for route in routes where hasReturned {
      for course in courses(route, &subject.random) where hasReturned {
        let began = MonotonicClock.now
        let (request, isDone) = driver.run(route, course)
        requests.append(request)
        hasReturned = isDone
        // One that is slow in every course would take the whole time, and say nothing new.
        let patience = route.terms.isInline ? RequestDriver.inlineTime : subject.answerTime
        if MonotonicClock.now - began >= patience.nanoseconds { break }
      }
    }
    var faults: [String] = []
    // A plugin that is still inside a call cannot be destroyed.
    if hasReturned {
      subject.journal.step("ending after \(requests.count) requests")
      do throws(ValidatorTest.Stop) { try instance.finish() } catch {
        if case .failed(let sentences) = error { faults = sentences }
      }
    }
    // Only now: a second answer may have come after the end.
    try ValidatorTest.Stop.unless(summary(requests) + faults)
    if routes.isEmpty { throw .skipped(none) }
    return "requests: \(requests.count), routes: \(routes.count)"
  }

  /// What was wrong with requests: each fault of a route once, with the first request that had it.
  static func summary(_ requests: [ScriptedRequest]) -> [String] {
    var order: [String] = []
    var counts: [String: (first: String, more: Int)] = [:]
    for request in requests {
      for fault in Set(request.state.withLock { $0.faults }).sorted() {
        let key = "\(request.route.name): \(fault)"
        if counts[key] == nil { order.append(key) }
        counts[key, default: (request.course.words, -1)].more += 1
      }
    }
    return order.map { key in
      guard let (first, more) = counts[key] else { return key }
      return "\(key) (With \(first)\(more > 0 ? ", and \(more) more" : "").)"
    }
  }
}
