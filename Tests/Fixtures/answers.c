// Answers twice, late, never, or with what may not be sent, by the path of the request.
#include "fixture.h"

static gw_request last;

static gw_status twice(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  const gw_http_v1 *http = TABLE(gw_http_v1, GW_HTTP_1);
  http->reply(CTX, request->handle, 200, TEXT("first"), TEXT("1"), NULL, 0);
  gw_status again = http->reply(CTX, request->handle, 200, TEXT("second"), TEXT("2"), NULL, 0);
  return again == GW_E_GONE ? GW_OK : GW_E_INTERNAL;
}
static gw_status never(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  last = request->handle;
  return GW_PENDING;
}
static gw_status lies(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_OK;
}
// Answers the request that `never` left, whatever became of it; the status goes back as data.
static gw_status late(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  const gw_http_v1 *http = TABLE(gw_http_v1, GW_HTTP_1);
  gw_status status = http->reply(CTX, last, 200, TEXT("late"), TEXT("0"), NULL, 0);
  return http->reply(CTX, request->handle, 200, TEXT("late"), status == GW_E_GONE ? TEXT("\"gone\"") : TEXT("\"sent\""),
                     NULL, 0);
}
// Tries all that must be refused, and answers with the number of refusals.
static gw_status bad(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  const gw_http_v1 *http = TABLE(gw_http_v1, GW_HTTP_1);
  gw_field fields[] = {{TEXT("a b"), TEXT("x")},          {TEXT(""), TEXT("x")},
                       {TEXT("X-A"), TEXT("x\r\nX-B: y")}, {TEXT("X-A"), TEXT("x\0y")},
                       {TEXT("Content-Length"), TEXT("5")}, {TEXT("transfer-encoding"), TEXT("chunked")},
                       {TEXT("CONNECTION"), TEXT("close")}, {{NULL, 3}, TEXT("x")},
                       {TEXT("X-A"), {NULL, 1}}};
  char refused = '0';
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    if (http->reply(CTX, request->handle, 200, TEXT(""), TEXT(""), &fields[i], 1) == GW_E_ARGUMENT) refused++;
  char more = '0';
  if (http->reply(CTX, request->handle, 200, TEXT(""), TEXT(""), NULL, 1) == GW_E_ARGUMENT) more++;
  if (http->reply(CTX, request->handle, 199, TEXT(""), TEXT(""), NULL, 0) == GW_E_ARGUMENT) more++;
  if (http->reply(CTX, request->handle, 204, TEXT(""), TEXT(""), NULL, 0) == GW_E_ARGUMENT) more++;
  if (http->reply(CTX, request->handle, 300, TEXT(""), TEXT(""), NULL, 0) == GW_E_ARGUMENT) more++;
  if (http->fail(CTX, request->handle, 399, TEXT(""), TEXT(""), TEXT(""), NULL, 0) == GW_E_ARGUMENT) more++;
  if (http->fail(CTX, request->handle, 600, TEXT(""), TEXT(""), TEXT(""), NULL, 0) == GW_E_ARGUMENT) more++;
  if (http->reply(CTX, request->handle, 200, TEXT(""), (gw_bytes){NULL, 2}, NULL, 0) == GW_E_ARGUMENT) more++;
  static const uint16_t bodiless[] = {199, 204, 205, 304, 600};
  char streams = '0';
  for (size_t i = 0; i < sizeof bodiless / sizeof *bodiless; i++)
    if (http->start(CTX, request->handle, bodiless[i], NULL, 0, UINT64_MAX) == GW_E_ARGUMENT) streams++;
  char data[] = {refused, ',', more, ',', streams};
  return http->fail(CTX, request->handle, 418, TEXT(""), (gw_bytes){(uint8_t *)data, 5}, TEXT(""), NULL, 0);
}
static int released;
static void release(void *owner, const uint8_t *start, size_t count) { (void)owner, (void)start, (void)count; released++; }
// Hands over a buffer in a call that is refused and in one that is not; answers how often it came back.
static gw_status buffers(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  const gw_http_v1 *http = TABLE(gw_http_v1, GW_HTTP_1);
  gw_buffer body = {TEXT("body"), release, NULL};
  released = 0;
  http->respond(CTX, request->handle, 100, NULL, 0, body);
  http->respond((gw_context){0}, request->handle, 200, NULL, 0, body);
  http->write(CTX, (gw_request){0}, body);
  return http->reply(CTX, request->handle, 200, TEXT("buffers"), released == 3 ? TEXT("3") : TEXT("0"), NULL, 0);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const gw_http_handler_v1 handlers[] = {{.request = twice}, {.request = never}, {.request = lies},
                                                {.request = late},  {.request = bad},   {.request = buffers}};
  static const char *paths[] = {"/v1/twice", "/v1/never", "/v1/lies", "/v1/late", "/v1/bad", "/v1/buffers"};
  host = given;
  (void)settings;
  *self = NULL;
  for (int i = 0; i < 6; i++)
    if (add_route("GET", paths[i], GW_ROUTE_PUBLIC, &handlers[i]) < 0) return GW_E_INTERNAL;
  return GW_OK;
}
PLUGIN("answers", create)
