// Adds a route in activate, which is too late; fails when it is taken.
#include "fixture.h"
static gw_status request(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  host = given;
  (void)settings;
  *self = NULL;
  return GW_OK;
}
static gw_status activate(void *self) {
  static const gw_http_handler_v1 handler = {.request = request};
  (void)self;
  return add_route("GET", "/v1/late", 0, &handler) == GW_E_STATE ? GW_E_BUSY : GW_OK;
}
static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .id = {(const uint8_t *)"late_route", 10},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .create = create,
                                    .interface = no_interface,
                                    .activate = activate,
                                    .quiesce = quiesced,
                                    .destroy = destroyed};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
