// Calls any service: POST /v1/NAME/call/{service}/{method} with the argument as its body; the result is the answer's data.
#include "fixture.h"

#ifndef NAME // of the plugin, which the service is told
#define NAME "service_caller"
#endif

static void called(void *user, gw_status status, gw_bytes result) {
  gw_request request = {.v = (uint64_t)(uintptr_t)user};
  const gw_http_v1 *http = TABLE(gw_http_v1, GW_HTTP_1);
  if (status == GW_OK) {
    http->reply(CTX, request, 200, TEXT(""), result, NULL, 0);
    return;
  }
  char digits[3] = {'-', '0' + (char)(-status / 10), '0' + (char)(-status % 10)};
  http->fail(CTX, request, 500, TEXT("CALL_FAILED"), (gw_bytes){(const uint8_t *)digits, 3}, TEXT(""), NULL, 0);
}
static gw_status call(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  gw_call_v1 call = {.method = request->parameters[1].value, .argument = request->body, .subject = request->subject};
  gw_status status = TABLE(gw_services_v1, GW_SERVICES_1)->call(CTX, request->parameters[0].value, &call, 10000, called,
                                                                (void *)(uintptr_t)request->handle.v);
  return status < 0 ? status : GW_PENDING;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  (void)settings;
  host = given;
  *self = NULL;
  gw_http_handler_v1 handler = {.request = call};
  return add_route("POST", "/v1/" NAME "/call/{service}/{method}", 0, &handler);
}
PLUGIN(NAME, create)
