import CGatewayPlugin
import Testing

@testable import Gateway

@Suite("Frames of the link to a plugin's process") struct LinkFrameTests {
  /// One of each kind of value, in a frame from a plugin's process.
  private static var sample: [UInt8] {
    var frame = FrameBuilder(.log)
    frame.add(UInt64(0x0102_0304_0506_0708))
    frame.add(Int32(-5))
    frame.add(true)
    frame.add(2.5)
    frame.add("héllo")
    frame.add([UInt8]([1, 2, 3]))
    frame.add(UInt32(1))
    frame.add("name")
    frame.add("value")
    return frame.finished
  }

  private static func readSample(_ frame: LinkFrame) throws -> [String] {
    try frame.read { (reader) throws(LinkFrame.Fault) in
      var seen = ["\(try reader.number(UInt64.self))", "\(try reader.number(Int32.self))"]
      seen += ["\(try reader.flag())", "\(try reader.double())", try reader.text()]
      seen.append("\(try reader.array())")
      let fields = try reader.fields(most: 1)
      return seen + fields.map { "\($0.name.text ?? "")=\($0.value.text ?? "")" }
    }
  }

  @Test func `what is written is read, in any parts that arrive`() throws {
    let bytes = Self.sample + Self.sample
    for cut in 0...bytes.count {
      var decoder = FrameDecoder(isFromGateway: false)
      var frames: [LinkFrame] = []
      for part in [bytes[..<cut], bytes[cut...]] {
        decoder.append(part)
        while let frame = try decoder.next() { frames.append(frame) }
      }
      try #require(frames.count == 2)
      for frame in frames {
        #expect(frame.kind == .log)
        #expect(
          try Self.readSample(frame) == [
            "72623859790382856", "-5", "true", "2.5", "héllo", "[1, 2, 3]", "name=value",
          ]
        )
      }
    }
  }

  @Test func `one byte at a time is enough`() throws {
    var decoder = FrameDecoder(isFromGateway: false)
    var count = 0
    for byte in Self.sample {
      decoder.append([byte])
      while try decoder.next() != nil { count += 1 }
    }
    #expect(count == 1)
  }

  @Test func `a payload cut anywhere, or longer than what is read, is refused`() throws {
    let payload = Array(Self.sample.dropFirst(LinkFrame.headerBytes))
    for length in 0..<payload.count {
      let cut = LinkFrame(kind: .log, payload: Array(payload[..<length]))
      #expect(throws: (any Error).self) { try Self.readSample(cut) }
    }
    let longer = LinkFrame(kind: .log, payload: payload + [0])
    #expect(throws: LinkFrame.Fault.badLength) { try Self.readSample(longer) }
  }

  private static func array(of payload: [UInt8]) throws -> [UInt8] {
    try LinkFrame(kind: .log, payload: payload).read { (reader) throws(LinkFrame.Fault) in
      try reader.array()
    }
  }

  private static func fieldCount(of payload: [UInt8]) throws -> Int {
    try LinkFrame(kind: .log, payload: payload).read { (reader) throws(LinkFrame.Fault) in
      try reader.fields(most: 1).count
    }
  }

  private static func flag(of payload: [UInt8]) throws -> Bool {
    try LinkFrame(kind: .log, payload: payload).read { (reader) throws(LinkFrame.Fault) in
      try reader.flag()
    }
  }

  @Test func `a length inside a payload that points behind its end is refused`() throws {
    #expect(throws: LinkFrame.Fault.badLength) { try Self.array(of: [3, 0, 0, 0, 1, 2]) }
    #expect(throws: LinkFrame.Fault.badLength) {
      try Self.array(of: [0xFF, 0xFF, 0xFF, 0xFF, 1, 2])
    }
    #expect(try Self.array(of: [2, 0, 0, 0, 1, 2]) == [1, 2])
  }

  @Test func `counts and flags beyond what they may be are refused`() throws {
    #expect(throws: LinkFrame.Fault.badValue) { try Self.fieldCount(of: [2, 0, 0, 0]) }
    #expect(throws: LinkFrame.Fault.badValue) { try Self.flag(of: [2]) }
    #expect(try Self.flag(of: [1]))
  }

  @Test(arguments: [UInt8](0...255))
  func `a kind that there is not, or of the other direction, ends the link`(_ number: UInt8) throws
  {
    let kind = LinkFrame.Kind(rawValue: number)
    for isFromGateway in [true, false] {
      var decoder = FrameDecoder(isFromGateway: isFromGateway)
      decoder.append([0, 0, 0, 0, number])
      guard let kind else {
        #expect(fault(of: decoder) == .unknownKind(number))
        continue
      }
      if kind.isFromGateway == isFromGateway {
        #expect(try peek(decoder) == LinkFrame(kind: kind, payload: []))
      } else {
        #expect(fault(of: decoder) == .wrongDirection(kind))
      }
    }
  }

  @Test(arguments: LinkFrame.Kind.allCases)
  func `a frame one byte longer than its kind may be is refused before it has come`(
    _ kind: LinkFrame.Kind
  ) throws {
    func header(_ length: Int) -> [UInt8] {
      (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + [kind.rawValue]
    }
    var decoder = FrameDecoder(isFromGateway: kind.isFromGateway)
    decoder.append(header(kind.limit)[...])
    #expect(try peek(decoder) == nil)
    decoder = FrameDecoder(isFromGateway: kind.isFromGateway)
    decoder.append(header(kind.limit + 1)[...])
    #expect(fault(of: decoder) == .tooLong(kind, kind.limit + 1))
  }

  @Test func `an order to load is read as it was written`() throws {
    var order = LoadOrder()
    order.library = "/a/b.so"
    order.directory = "/data/plugins/b"
    order.generation = 7
    order.grants.spawn = true
    order.grants.readable = ["/r", "/s"]
    order.grants.writable = ["/w"]
    order.memoryBytes = 1 << 40
    order.limits.poolThreads = 3
    order.limits.streamBytes = 99
    order.logLevel = .warning
    var decoder = FrameDecoder(isFromGateway: true)
    decoder.append(order.frame[...])
    let frame = try #require(try peek(decoder))
    #expect(try LoadOrder(frame) == order)
  }
}

/// The next frame of a copy.
private func peek(_ decoder: FrameDecoder) throws -> LinkFrame? {
  var copy = decoder
  return try copy.next()
}

/// Why a copy gives no frame.
private func fault(of decoder: FrameDecoder) -> LinkFrame.Fault? {
  var copy = decoder
  do throws(LinkFrame.Fault) {
    _ = try copy.next()
    return nil
  } catch { return error }
}
