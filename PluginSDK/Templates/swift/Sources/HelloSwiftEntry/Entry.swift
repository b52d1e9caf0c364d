public import CGatewayPlugin
import GatewayPlugin
import HelloSwift

// swift-format-ignore: AlwaysUseLowerCamelCase
/// The one symbol this library exports.
///
/// - Parameters:
///   - major: The host's version of the contract.
///   - minor: Of the same.
/// - Returns: What this library is; `nil` when it cannot serve that host.
@c @implementation
public func gw_plugin_entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<gw_plugin_v1>? {
  unsafe HelloSwift.descriptor(major, minor)
}
