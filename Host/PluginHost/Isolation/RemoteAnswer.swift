import CGatewayPlugin

/// An answer of the plugin's process, given to the host in the plugin's stead.
enum RemoteAnswer {
  /// Gives a whole answer: `reply`, `fail` or `respond`.
  ///
  /// - Parameters:
  ///   - kind: Of the frame.
  ///   - reader: Behind the number of the request.
  ///   - context: Of the plugin.
  ///   - request: As the host knows it.
  /// - Returns: What the host says.
  /// - Throws: When the frame is malformed.
  static func whole(
    _ kind: LinkFrame.Kind,
    _ reader: inout FrameReader,
    _ context: gw_context,
    _ request: gw_request
  ) throws(LinkFrame.Fault) -> gw_status {
    let table = unsafe HTTPInterface.table.pointee
    let code = try reader.number(UInt16.self)
    let first = unsafe try reader.span()
    if kind == .respond {
      let fields = unsafe try reader.fields(most: AnswerFields.maxFields)
      let body = unsafe gw_buffer(bytes: first, release: nil, owner: nil)
      return unsafe table.respond(context, request, code, fields, fields.count, body)
    }
    let second = unsafe try reader.span()
    if kind == .reply {
      let fields = unsafe try reader.fields(most: AnswerFields.maxFields)
      return unsafe table.reply(context, request, code, first, second, fields, fields.count)
    }
    let third = unsafe try reader.span()
    let fields = unsafe try reader.fields(most: AnswerFields.maxFields)
    return unsafe table.fail(context, request, code, first, second, third, fields, fields.count)
  }

  /// Gives a part of a streamed answer, or gives it up: `start`, `write`, `finish` or `abort`.
  ///
  /// - Parameters:
  ///   - kind: Of the frame.
  ///   - reader: Behind the number of the request.
  ///   - context: Of the plugin.
  ///   - request: As the host knows it.
  /// - Returns: What the host says.
  /// - Throws: When the frame is malformed.
  static func part(
    _ kind: LinkFrame.Kind,
    _ reader: inout FrameReader,
    _ context: gw_context,
    _ request: gw_request
  ) throws(LinkFrame.Fault) -> gw_status {
    let table = unsafe HTTPInterface.table.pointee
    switch kind {
    case .start:
      let (code, length) = try (reader.number(UInt16.self), reader.number(UInt64.self))
      let fields = unsafe try reader.fields(most: AnswerFields.maxFields)
      return unsafe table.start(context, request, code, fields, fields.count, length)
    case .write:
      let bytes = unsafe try gw_buffer(bytes: reader.span(), release: nil, owner: nil)
      return unsafe table.write(context, request, bytes)
    case .finish: return table.finish(context, request)
    default: return table.abort(context, request)
    }
  }
}
