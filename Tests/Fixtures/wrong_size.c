// Has the right major and a struct of another size.
#include "fixture.h"
static gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1) + 8, .abi_major = GW_ABI_MAJOR};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
