import CGatewayPlugin

/// `gw.core/1`.
enum CoreInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_core_v1(
      now: { _ in UInt64(MonotonicClock.now) },
      data_directory: { context in
        unsafe ContextTable.with(context, gone: .empty) { instance in
          unsafe gw_bytes(start: instance.directory.baseAddress, count: instance.directory.count)
        }
      },
      set_error: { context, message in
        ContextTable.with(context, gone: ()) { instance in
          instance.setError(unsafe message.text(cutAt: sentenceBytes))
        }
      },
      complete: { context, operation, status, result in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          unsafe instance.host.operations.complete(
            operation,
            owner: context.v,
            kind: .completion,
            status: status,
            result: result
          )
        }
      }
    )
  )

  /// Bytes of one sentence; more is cut.
  private static let sentenceBytes = 4096
}
