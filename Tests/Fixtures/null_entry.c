// Does not serve this host and says so.
#include "fixture.h"
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return NULL;
}
