import CGatewayPlugin

/// The contract's status numbers by name.
enum Status {
  /// As the header writes it; the number where it has none.
  static func name(_ status: gw_status) -> String {
    switch status {
    case GW_OK: "GW_OK"
    case GW_PENDING: "GW_PENDING"
    case GW_AGAIN: "GW_AGAIN"
    case GW_E_ARGUMENT: "GW_E_ARGUMENT"
    case GW_E_STATE: "GW_E_STATE"
    case GW_E_GONE: "GW_E_GONE"
    case GW_E_DENIED: "GW_E_DENIED"
    case GW_E_UNSUPPORTED: "GW_E_UNSUPPORTED"
    case GW_E_LIMIT: "GW_E_LIMIT"
    case GW_E_TIMEOUT: "GW_E_TIMEOUT"
    case GW_E_SCHEMA: "GW_E_SCHEMA"
    case GW_E_BUSY: "GW_E_BUSY"
    case GW_E_NOT_FOUND: "GW_E_NOT_FOUND"
    case GW_E_INTERNAL: "GW_E_INTERNAL"
    default: "status \(status)"
    }
  }
}
