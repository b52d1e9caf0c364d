// Leaves a function out.
#include "fixture.h"
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  (void)given, (void)settings, (void)self;
  return GW_OK;
}
static gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1), .abi_major = GW_ABI_MAJOR, .create = create};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
