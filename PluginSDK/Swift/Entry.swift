public import CGatewayPlugin

/// What `gw_plugin_entry` gives the host.
public typealias PluginDescriptor = UnsafePointer<gw_plugin_v1>
