import Testing
import Wire

@testable import Gateway

@Suite("A request's body")
struct BodyReaderTests {
  /// Reads `bytes` handed over in pieces of `step`; the body, or why it was refused, and how many bytes were used.
  private func read(
    _ framing: RequestHead.BodyFraming,
    limit: UInt64,
    _ bytes: [UInt8],
    step: Int = .max
  ) -> (body: [UInt8], used: Int, isWhole: Bool, refusal: Refusal?) {
    var reader = BodyReader(framing, limit: limit)
    var body: [UInt8] = []
    var waiting: [UInt8] = []
    var used = 0
    var rest = bytes[...]
    while true {
      var offset = 0
      do throws(Refusal) {
        events: while true {
          switch try reader.next(waiting.span, from: &offset) {
          case .needMore: break events
          case .data(let range): body += waiting[range]
          case .end: return (body, used + offset, true, nil)
          }
        }
      } catch {
        return (body, used + offset, false, error)
      }
      used += offset
      waiting.removeFirst(offset)
      guard !rest.isEmpty else { return (body, used, false, nil) }
      let piece = rest.prefix(step)
      waiting += piece
      rest = rest.dropFirst(piece.count)
    }
  }

  private let ten = Array("0123456789".utf8)

  @Test(arguments: [1, 3, 10, 99]) func `of known length ends at its length, however it is cut`(
    _ step: Int
  ) {
    let result = read(.length(10), limit: 10, ten + Array("GET /".utf8), step: step)
    #expect(result.body == ten && result.used == 10 && result.isWhole)
    let cut = read(.length(11), limit: 11, ten, step: step)
    #expect(cut.body == ten && !cut.isWhole && cut.refusal == nil)
  }

  @Test func `of length 0, or none, is over at once`() {
    for framing in [RequestHead.BodyFraming.none, .length(0)] {
      let result = read(framing, limit: 0, ten)
      #expect(result.body.isEmpty && result.used == 0 && result.isWhole)
      #expect(BodyReader(framing, limit: 0).remaining == 0)
    }
  }

  @Test(arguments: [1, 3, 99]) func `of known length is taken to the limit and refused one past it`(
    _ step: Int
  ) {
    #expect(read(.length(10), limit: 10, ten, step: step).isWhole)
    let over = read(.length(10), limit: 9, ten, step: step)
    #expect(over.refusal == .bodyTooLarge(limit: 9))
    #expect(over.body.count <= 9)
  }

  @Test(arguments: [1, 3, 99]) func `in chunks is taken to the limit and refused one past it`(
    _ step: Int
  ) {
    let chunks = Array("4;x=y\r\n0123\r\n6\r\n456789\r\n0\r\nT: v\r\n\r\n".utf8)
    let whole = read(.chunked, limit: 10, chunks + ten, step: step)
    #expect(whole.body == ten && whole.used == chunks.count && whole.isWhole)
    let over = read(.chunked, limit: 9, chunks, step: step)
    #expect(over.refusal == .bodyTooLarge(limit: 9))
    #expect(over.body.count <= 9)
  }

  @Test func `bad chunks are refused with what was wrong`() {
    #expect(read(.chunked, limit: 10, Array("x\r\n".utf8)).refusal == .body(.invalidSize))
    #expect(read(.chunked, limit: 10, Array("1\r\nab\r\n".utf8)).refusal == .body(.missingLineEnd))
  }

  @Test func `knows what is still to come, and what has come`() throws {
    var reader = BodyReader(.length(10), limit: 10)
    var offset = 0
    let four = Array(ten[..<4])
    _ = try reader.next(four.span, from: &offset)
    #expect(offset == 4 && reader.remaining == 6 && reader.received == 4)
    var chunked = BodyReader(.chunked, limit: 10)
    offset = 0
    let chunk = Array("2\r\nab".utf8)
    _ = try chunked.next(chunk.span, from: &offset)
    #expect(chunked.remaining == nil && chunked.received == 2)
  }
}
