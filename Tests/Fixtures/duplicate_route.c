// Wants a route that good.c has, under another parameter name.
#include "fixture.h"
static gw_status request(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const gw_http_handler_v1 handler = {.request = request};
  host = given;
  (void)settings;
  *self = NULL;
  return add_route("GET", "/v1/good/{other}", 0, &handler);
}
PLUGIN("duplicate_route", create)
