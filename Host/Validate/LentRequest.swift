import CGatewayPlugin

/// A request in the contract's form, in memory that is overwritten when the call it was lent for has returned.
///
/// So what a plugin kept of it without a copy shows.
@safe
final class LentRequest {
  private var blocks: [UnsafeMutableRawBufferPointer] = unsafe []

  /// Calls `use` with the request.
  func withRequest<Result>(
    _ course: RequestCourse,
    _ route: ScriptedRoute,
    handle: UInt64,
    deadline: UInt64,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    defer { free() }
    let path = Array(route.pattern.text.utf8)
    let body = route.terms.isStreaming ? [] : course.parts.flatMap(\.self)
    let names = route.parameters
    let parameters = names.map { (Array($0.utf8), course.parameter) }
    var fields = [("Host", "localhost"), ("User-Agent", "gateway-validator")]
    let length = course.parts.reduce(0) { $0 + $1.count }
    if length > 0 {
      fields.append(("Content-Type", course.contentType))
      fields.append(("Content-Length", "\(length)"))
    }
    let lines = fields.map { (Array($0.0.utf8), Array($0.1.utf8)) }
    let query = course.query.isEmpty ? [] : [UInt8(ascii: "?")] + course.query
    var request = unsafe gw_request_v1(
      handle: gw_request(v: handle),
      method: bytes(Array((course.method ?? route.method).utf8)),
      target: bytes(path + query),
      path: bytes(path),
      query: bytes(course.query),
      parameters: list(parameters),
      parameter_count: parameters.count,
      fields: list(lines),
      field_count: lines.count,
      body: bytes(body),
      body_length: UInt64(length),
      subject: bytes(Array("validator".utf8)),
      scopes: bytes(Array("read write admin".utf8)),
      tier: bytes(Array("standard".utf8)),
      request_id: bytes(Array("req-\(handle)".utf8)),
      trace_id: bytes(Array("0af7651916cd43dd8448eb211c80319c".utf8)),
      peer: bytes(Array("192.0.2.1".utf8)),
      deadline: deadline,
      flags: GW_REQUEST_AUTHENTICATED
    )
    return unsafe use(&request)
  }

  /// Calls `use` with `content`.
  func withBytes<Result>(_ content: [UInt8], _ use: (gw_bytes) -> Result) -> Result {
    defer { free() }
    return unsafe use(bytes(content))
  }

  private func bytes(_ content: [UInt8]) -> gw_bytes {
    guard !content.isEmpty else { return unsafe .empty }
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 1)
    unsafe block.copyBytes(from: content)
    unsafe blocks.append(block)
    let start = unsafe UnsafeRawPointer(block.baseAddress)?.assumingMemoryBound(to: UInt8.self)
    return unsafe gw_bytes(start: start, count: content.count)
  }

  private func list(_ pairs: [([UInt8], [UInt8])]) -> UnsafePointer<gw_field>? {
    guard !pairs.isEmpty else { return nil }
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: unsafe MemoryLayout<gw_field>.stride * pairs.count,
      alignment: unsafe MemoryLayout<gw_field>.alignment
    )
    let typed = unsafe block.bindMemory(to: gw_field.self)
    for (index, pair) in pairs.enumerated() {
      unsafe typed.initializeElement(
        at: index,
        to: gw_field(name: bytes(pair.0), value: bytes(pair.1))
      )
    }
    unsafe blocks.append(block)
    return unsafe UnsafePointer(typed.baseAddress)
  }

  private func free() {
    for index in unsafe blocks.indices {
      let block = unsafe blocks[index]
      unsafe block.initializeMemory(as: UInt8.self, repeating: 0xDD)
      unsafe block.deallocate()
    }
    unsafe blocks = []
  }
}
