import CGatewayPlugin

/// The functions of the contract that stand in for a plugin in another process.
enum IsolatedTable {
  static func make(
    id: UnsafeBufferPointer<UInt8>,
    version: UnsafeBufferPointer<UInt8>,
    summary: UnsafeBufferPointer<UInt8>,
    abiMinor: UInt32
  ) -> UnsafePointer<gw_plugin_v1> {
    unsafe InterfaceDirectory.keep(
      gw_plugin_v1(
        struct_size: UInt32(MemoryLayout<gw_plugin_v1>.size),
        abi_major: GW_ABI_MAJOR,
        abi_minor: abiMinor,
        flags: 0,
        id: gw_bytes(start: id.baseAddress, count: id.count),
        version: gw_bytes(start: version.baseAddress, count: version.count),
        description: gw_bytes(start: summary.baseAddress, count: summary.count),
        create: { host, settings, out in
          let context = unsafe host.pointee.context
          let code = ContextTable.with(context, gone: nil) { $0.library as? IsolatedCode }
          guard let code else { return GW_E_GONE }
          let status = unsafe code.plugin.create(context, settings: settings.copied)
          if status == GW_OK { unsafe out.pointee = code.plugin.pointer }
          return status
        },
        interface: { plugin, id in
          unsafe IsolatedPlugin.of(plugin)?.interface(String(cString: id))
        },
        activate: { unsafe IsolatedPlugin.of($0)?.activate() ?? GW_E_GONE },
        quiesce: { unsafe IsolatedPlugin.of($0)?.quiesce($1) },
        destroy: { unsafe IsolatedPlugin.of($0)?.end() }
      )
    )
  }

  /// Stands where a handler must be: requests of an isolated plugin go past it, through `PluginCode.steps`.
  static let noRequest:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafePointer<gw_request_v1>,
      UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> gw_status = { _, _, _ in GW_E_UNSUPPORTED }

  static let noBody:
    @convention(c) (
      UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, gw_request, gw_bytes, Int32
    ) -> gw_status = { _, _, _, _, _ in GW_E_UNSUPPORTED }

  static let event: gw_event_fn = { user, topic, subject, payload in
    guard let proxy = unsafe IsolatedProxy.of(user) else { return }
    unsafe proxy.plugin.deliver(proxy, topic, subject, payload)
  }

  static let serve: gw_serve_fn = { user, call, answer in
    guard let proxy = unsafe IsolatedProxy.of(user) else { return }
    unsafe proxy.plugin.serve(proxy, call.pointee, answer)
  }

  static let check: gw_check_fn = { user, answer in
    guard let proxy = unsafe IsolatedProxy.of(user) else { return }
    proxy.plugin.check(proxy, answer)
  }

  static let round: gw_job_fn = { user, _ in
    guard let proxy = unsafe IsolatedProxy.of(user) else { return }
    proxy.plugin.round(proxy)
  }

  static let called: gw_called_fn = { user, status, result in
    guard let user = unsafe user else { return }
    let call = unsafe Unmanaged<IsolatedServiceCall>.fromOpaque(user).takeRetainedValue()
    unsafe call.finish(status, result)
  }

  static let selfTest = unsafe gw_plugin_selftest_v1(run: { plugin in
    unsafe IsolatedPlugin.of(plugin)?.run(.selfTest, limit: PluginInstance.stepLimits.selfTest)
      ?? GW_E_GONE
  })

  static let jobs = unsafe gw_plugin_jobs_v1(resume: { plugin in
    _ = unsafe IsolatedPlugin.of(plugin)?.run(.resume, limit: PluginInstance.stepLimits.setup)
  })
}

extension PluginInstance {
  /// Time for the steps of a plugin in its own process: a little less than the host waits, so that the process is
  /// ended and the step fails, instead of hanging.
  static let stepLimits = (
    setup: setupLimit - .seconds(2), state: Duration.seconds(28), selfTest: Duration.seconds(9)
  )
}

/// A call that an isolated plugin makes of a service.
final class IsolatedServiceCall: Sendable {
  private let process: IsolatedProcess
  private let token: UInt64

  init(process: IsolatedProcess, token: UInt64) {
    self.process = process
    self.token = token
  }

  func finish(_ status: gw_status, _ result: gw_bytes) {
    unsafe process.send(.called, room: 64 + result.count) { frame in
      frame.add(token)
      frame.add(status)
      unsafe frame.add(result)
    }
  }
}
