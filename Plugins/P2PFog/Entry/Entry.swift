import P2PFog
public import CGatewayPlugin
import GatewayPlugin

// swift-format-ignore: AlwaysUseLowerCamelCase
/// What the host asks a library for first.
@c @implementation
public func gw_plugin_entry(
  _ major: UInt32,
  _ minor: UInt32
) -> UnsafePointer<gw_plugin_v1>? {
  unsafe P2PFogPlugin.descriptor(major, minor)
}
