// Behaves: one route, one topic, one check, one metric, one service.
#include "fixture.h"

static gw_metric asked;

static gw_status answer(void *user, const gw_request_v1 *request, void **state) {
  (void)user;
  gw_bytes label = TEXT("yes");
  TABLE(gw_metrics_v1, GW_METRICS_1)->record(CTX, asked, 1, &label, 1);
  *state = malloc(1);
  gw_field field = {TEXT("X-Fixture"), TEXT("good")};
  return TABLE(gw_http_v1, GW_HTTP_1)->reply(CTX, request->handle, 200, TEXT("fine"), TEXT("{\"n\":1}"), &field, 1);
}
static void ended(void *user, void *state, gw_request request) { (void)user, (void)request; free(state); }
static void check(void *user, gw_operation done) {
  (void)user;
  TABLE(gw_health_v1, GW_HEALTH_1)->report(CTX, done, GW_DEGRADED, TEXT("{\"why\":\"fixture\"}"));
}
static void serve(void *user, const gw_call_v1 *call, gw_operation done) {
  (void)user;
  TABLE(gw_core_v1, GW_CORE_1)->complete(CTX, done, GW_OK, call->argument);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  host = given;
  static const gw_http_handler_v1 handler = {.request = answer, .end = ended};
  gw_bytes label = TEXT("answered");
  *self = malloc(1);
  (void)settings;
  if (add_route("GET", "/v1/good/{name}", 0, &handler) < 0) return GW_E_INTERNAL;
  if (TABLE(gw_events_v1, GW_EVENTS_1)->declare(CTX, TEXT("good.happened"), TEXT("read"), 0) < 0)
    return refuse(TEXT("declare"));
  if (TABLE(gw_health_v1, GW_HEALTH_1)->add_check(CTX, TEXT("self"), 100, 1000, check, NULL) < 0)
    return refuse(TEXT("add_check"));
  if (TABLE(gw_metrics_v1, GW_METRICS_1)
          ->define(CTX, GW_COUNTER, TEXT("good_asked_total"), TEXT("Requests."), &label, 1, &asked) < 0)
    return refuse(TEXT("define"));
  if (TABLE(gw_services_v1, GW_SERVICES_1)->serve(CTX, TEXT("good.echo"), serve, NULL) < 0)
    return refuse(TEXT("serve"));
  return GW_OK;
}
static void destroy(void *self) { free(self); }

static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .id = {(const uint8_t *)"good", 4},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .description = {(const uint8_t *)"A good fixture.", 15},
                                    .create = create,
                                    .interface = no_interface,
                                    .activate = activated,
                                    .quiesce = quiesced,
                                    .destroy = destroy};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
