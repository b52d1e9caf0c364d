import CGatewayPlugin
import Synchronization

/// What the plugin's process says, passed to the host's own tables: they check it as they check any plugin's.
extension IsolatedPlugin {
  /// One frame; on the process's thread.
  ///
  /// - Throws: When it breaks the protocol; the process is ended then.
  func receive(_ frame: LinkFrame, from process: IsolatedProcess) throws(LinkFrame.Fault) {
    guard state.withLock({ $0.process === process }) else { return }
    switch frame.kind {
    case .declare: try declare(frame, process)
    case .publish, .call: try ask(frame, process)
    case .reply, .fail, .respond, .start, .write, .finish, .abort: try answer(frame)
    case .returned, .consumed, .refused: try steps(frame)
    case .complete, .report: try completed(frame)
    case .log: try logged(frame)
    case .record: try recorded(frame)
    case .jobBegan, .jobEnded: try jobs(frame)
    case .delivered:
      let index = try frame.read { (reader) throws(LinkFrame.Fault) in
        try reader.number(UInt32.self)
      }
      // More than it was sent would have others think that it has room.
      if let proxy = proxy(index), proxy.behind.subtract(1, ordering: .relaxed).newValue < 0 {
        throw .badValue
      }
    default: throw .wrongDirection(frame.kind)
    }
  }

  private func proxy(_ index: UInt32) -> IsolatedProxy? {
    state.withLock { state in
      state.declarations.indices.contains(Int(index))
        ? state.declarations[Int(index)].proxy : nil
    }
  }

  // MARK: - Questions

  /// Bytes of all that one plugin declares.
  private static let maxDeclaredBytes = 64 << 20
  /// Service calls that one plugin may wait for at once.
  private static let maxCalls = 1024

  private static func reply(
    _ process: IsolatedProcess,
    _ number: UInt32,
    _ status: gw_status,
    value: UInt64 = 0,
    sentence: String = ""
  ) {
    process.send(.answer) { frame in
      frame.add(number)
      frame.add(status)
      frame.add(value)
      frame.add(sentence)
    }
  }

  private func declare(_ frame: LinkFrame, _ process: IsolatedProcess) throws(LinkFrame.Fault) {
    let (number, index) = try Self.numbers(of: frame)
    let bytes = frame.payload.dropFirst(8)
    let known = state.withLock { state -> Declaration? in
      guard Int(index) < state.declarations.count else {
        if state.hasServed { state.hasStrayed = true }
        return nil
      }
      let known = state.declarations[Int(index)]
      if known.bytes != bytes || Int(index) != state.repeated { state.hasStrayed = true }
      state.repeated = Int(index) + 1
      return known
    }
    if let known {
      return Self.reply(
        process,
        number,
        known.status,
        value: known.value,
        sentence: known.sentence
      )
    }
    // What a process declares that is begun again, and the first did not.
    if state.withLock({ $0.hasServed }) {
      return Self.reply(process, number, GW_E_STATE, sentence: Self.strayed)
    }
    let isNext = state.withLock { state in
      state.declaredBytes += bytes.count
      return Int(index) == state.declarations.count && index < 4096
        && state.declaredBytes <= Self.maxDeclaredBytes
    }
    guard isNext else { throw .badValue }
    let proxy = IsolatedProxy(plugin: self, index: index)
    var metric: UInt64 = 0
    let status = try RemoteDeclaration.carryOut(frame, context: context, proxy, &metric)
    let sentence = withInstance(nil) { $0.takeError() } ?? ""
    state.withLock { state in
      state.declarations.append(
        Declaration(bytes: bytes, proxy: proxy, status: status, value: metric, sentence: sentence)
      )
      state.repeated = state.declarations.count
    }
    Self.reply(process, number, status, value: metric, sentence: sentence)
  }

  private static func numbers(of frame: LinkFrame) throws(LinkFrame.Fault) -> (UInt32, UInt32) {
    guard frame.payload.count >= 9 else { throw .badLength }
    return unsafe frame.payload.withUnsafeBytes { bytes in
      unsafe (
        UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)),
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
      )
    }
  }

  private func ask(_ frame: LinkFrame, _ process: IsolatedProcess) throws(LinkFrame.Fault) {
    let context = context
    let (number, status) = try frame.read { (reader) throws(LinkFrame.Fault) in
      let number = try reader.number(UInt32.self)
      if frame.kind == .publish {
        let status = unsafe try EventsInterface.table.pointee.publish(
          context,
          reader.span(),
          reader.span(),
          reader.span()
        )
        return (number, status)
      }
      let service = unsafe try reader.span()
      var call = unsafe gw_call_v1()
      unsafe call.method = try reader.span()
      unsafe call.argument = try reader.span()
      unsafe call.subject = try reader.span()
      let timeout = try reader.number(UInt64.self)
      let token = try reader.number(UInt64.self)
      // What it waits for takes room in a table that all plugins share.
      guard withInstance(0, { $0.declared.withLock { $0.calls.count } }) < Self.maxCalls else {
        return (number, GW_E_LIMIT)
      }
      let pending = unsafe Unmanaged.passRetained(
        IsolatedServiceCall(process: process, token: token)
      )
      let status = unsafe ServicesInterface.table.pointee.call(
        context,
        service,
        &call,
        timeout,
        IsolatedTable.called,
        pending.toOpaque()
      )
      if status < 0 { unsafe pending.release() }
      return (number, status)
    }
    Self.reply(process, number, status)
  }

  // MARK: - Answers

  private func answer(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let context = context
    let status = try frame.read { (reader) throws(LinkFrame.Fault) in
      let request = try gw_request(v: reader.number())
      // Before the answer is carried out: the request may have ended when the call below returns.
      call(request.v)?.noteAnswer()
      switch frame.kind {
      case .reply, .fail, .respond:
        return try RemoteAnswer.whole(frame.kind, &reader, context, request)
      default: return try RemoteAnswer.part(frame.kind, &reader, context, request)
      }
    }
    // What the process has checked already is refused only when it was not checked there.
    if status == GW_E_ARGUMENT || status == GW_E_LIMIT { throw .badValue }
  }

  private func steps(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    try frame.read { (reader) throws(LinkFrame.Fault) in
      let handle = try reader.number(UInt64.self)
      switch frame.kind {
      case .returned:
        let (status, error) = try (reader.number(gw_status.self), reader.text())
        try call(handle)?.returned(status, error: error.isEmpty ? nil : error)
      case .consumed:
        let count = try reader.count(most: LinkFrame.maxAnswerBytes)
        let (status, error) = try (reader.number(gw_status.self), reader.text())
        try call(handle)?.consumed(count, status, error: error.isEmpty ? nil : error)
      default: call(handle)?.refuseBusy(context)
      }
    }
  }

  private func completed(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let context = context
    let number = try frame.read { (reader) throws(LinkFrame.Fault) in
      let operation = try gw_operation(v: reader.number())
      let (status, bytes) = unsafe try (reader.number(Int32.self), reader.span())
      if frame.kind == .complete {
        _ = unsafe CoreInterface.table.pointee.complete(context, operation, status, bytes)
      } else {
        _ = unsafe HealthInterface.table.pointee.report(context, operation, status, bytes)
      }
      return operation.v
    }
    _ = state.withLock { $0.owed.removeValue(forKey: number) }
  }

  // MARK: - Log, metrics, jobs

  private func logged(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let context = context
    try frame.read { (reader) throws(LinkFrame.Fault) in
      let level = try reader.number(Int32.self)
      let about = try gw_request(v: reader.number())
      let message = unsafe try reader.span()
      let fields = unsafe try reader.fields(most: LogInterface.maxFields)
      unsafe LogInterface.table.pointee.write(
        context,
        level,
        about,
        message,
        fields,
        fields.count
      )
    }
  }

  private func recorded(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let context = context
    try frame.read { (reader) throws(LinkFrame.Fault) in
      let count = try reader.count(most: 1024)
      for _ in 0..<count {
        let metric = try gw_metric(v: reader.number())
        let value = try reader.double()
        let labels = unsafe try reader.spans(most: MetricsRegistry.maxLabels)
        _ = unsafe MetricsInterface.table.pointee.record(
          context,
          metric,
          value,
          labels,
          labels.count
        )
      }
    }
  }

  private func jobs(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (token, name) = try frame.read { (reader) throws(LinkFrame.Fault) in
      try (reader.number(UInt32.self), frame.kind == .jobBegan ? reader.text() : "")
    }
    guard frame.kind == .jobEnded || state.withLock({ $0.jobs[token] == nil }) else {
      throw .badValue
    }
    withInstance(()) { instance in
      guard frame.kind == .jobBegan else {
        guard let job = state.withLock({ $0.jobs.removeValue(forKey: token) }) else { return }
        instance.jobs.end(job)
        instance.occupancy.leave(.job)
        return
      }
      guard Names.isLabel(name), instance.occupancy.enter(.job) else { return }
      guard let job = instance.jobs.begin(name, hasThread: true) else {
        return instance.occupancy.leave(.job)
      }
      state.withLock { $0.jobs[token] = job }
    }
  }
}
