// A health check that never answers and never returns until the plugin stops.
#include "fixture.h"
#include <unistd.h>
static volatile int stopping;
static void check(void *user, gw_operation done) {
  (void)user, (void)done;
  while (!stopping) usleep(1000);
}
static void quiesce(void *self, gw_operation done) {
  stopping = 1;
  quiesced(self, done);
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  host = given;
  (void)settings;
  *self = NULL;
  return TABLE(gw_health_v1, GW_HEALTH_1)->add_check(CTX, TEXT("hangs"), 100, 1, check, NULL);
}
static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .id = {(const uint8_t *)"hanging_check", 13},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .create = create,
                                    .interface = no_interface,
                                    .activate = activated,
                                    .quiesce = quiesce,
                                    .destroy = destroyed};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
