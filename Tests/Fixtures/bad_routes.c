// Offers routes that must all be refused; fails with the first that is taken.
#include "fixture.h"
static gw_status request(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const gw_http_handler_v1 handler = {.request = request}, empty = {.request = NULL};
  static const char *patterns[] = {"", "v1", "/v1/", "/v1//x", "/v1/{", "/v1/{}", "/v1/{a}{b}", "/v1/{a}/{a}", "/v 1"};
  const gw_http_v1 *http;
  gw_route_v1 route = {.method = TEXT("GET"), .pattern = TEXT("/v1/x"), .scope = TEXT("read")};
  host = given;
  (void)settings;
  *self = NULL;
  http = TABLE(gw_http_v1, GW_HTTP_1);
  for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
    if (add_route("GET", patterns[i], 0, &handler) != GW_E_ARGUMENT) return refuse(TEXT("a pattern was taken"));
  if (add_route("HEAD", "/v1/x", 0, &handler) != GW_E_ARGUMENT) return refuse(TEXT("HEAD was taken"));
  if (add_route("get", "/v1/x", 0, &handler) != GW_E_ARGUMENT) return refuse(TEXT("a small method was taken"));
  if (add_route("GET", "/v1/x", 0, &empty) != GW_E_ARGUMENT) return refuse(TEXT("no request was taken"));
  if (add_route("GET", "/v1/x", GW_ROUTE_STREAM, &handler) != GW_E_ARGUMENT) return refuse(TEXT("no body was taken"));
  route.flags = GW_ROUTE_PUBLIC;
  if (http->add_route(CTX, &route, &handler) != GW_E_ARGUMENT) return refuse(TEXT("a public scope was taken"));
  route.flags = 0;
  route.scope = TEXT("");
  if (http->add_route(CTX, &route, &handler) != GW_E_ARGUMENT) return refuse(TEXT("no scope was taken"));
  route.scope = TEXT("two words");
  if (http->add_route(CTX, &route, &handler) != GW_E_ARGUMENT) return refuse(TEXT("two words were taken"));
  route.scope = TEXT("read");
  route.operation = TEXT("{\"summary\":");
  if (http->add_route(CTX, &route, &handler) != GW_E_ARGUMENT) return refuse(TEXT("half an operation was taken"));
  route.operation = TEXT("[]");
  if (http->add_route(CTX, &route, &handler) != GW_E_ARGUMENT) return refuse(TEXT("a list as operation was taken"));
  return GW_OK;
}
PLUGIN("bad_routes", create)
