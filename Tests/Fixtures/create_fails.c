// Declares all it can and then fails, with a sentence.
#include "fixture.h"
static gw_status request(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  host = given;
  static const gw_http_handler_v1 handler = {.request = request};
  gw_metric metric;
  (void)settings;
  *self = NULL;
  add_route("GET", "/v1/half", 0, &handler);
  TABLE(gw_events_v1, GW_EVENTS_1)->declare(CTX, TEXT("half.done"), TEXT(""), 0);
  TABLE(gw_metrics_v1, GW_METRICS_1)->define(CTX, GW_GAUGE, TEXT("half"), TEXT("."), NULL, 0, &metric);
  return refuse(TEXT("the database is on strike"));
}
PLUGIN("create_fails", create)
