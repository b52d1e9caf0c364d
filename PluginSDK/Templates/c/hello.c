/* hello.c: the smallest plugin in C: one route on the event loop and one health check.
 *
 * cc -std=c11 -Wall -Wextra -Wpedantic -O2 -fPIC -shared -fvisibility=hidden -IPluginSDK/C \
 *    -o libhello_c.so PluginSDK/Templates/c/hello.c
 */
#include "gateway_plugin.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

struct hello {
  gw_context context;
  const gw_core_v1 *core;
  const gw_http_v1 *http;
  const gw_health_v1 *health; /* NULL when this host has none */
};

static gw_bytes text(const char *words) {
  gw_bytes bytes = {(const uint8_t *)words, strlen(words)};
  return bytes;
}

/* [loop] Answers GET /v1/hello-c. */
static gw_status greet(void *user, const gw_request_v1 *request, void **state) {
  static const gw_bytes message = {NULL, 0};
  static const gw_bytes data = TEXT("{\"greeting\":\"Hello\"}");
  const struct hello *hello = user;
  *state = NULL;
  gw_status status = hello->http->reply(hello->context, request->handle, 200, message, data, NULL, 0);
  /* Gone: the client left or the deadline passed. Then nothing is owed any more. */
  return status == GW_E_GONE ? GW_OK : status;
}

/* [worker] */
static void check(void *user, gw_operation answer) {
  const struct hello *hello = user;
  hello->health->report(hello->context, answer, GW_HEALTHY, text("{}"));
}

static gw_status add_route(struct hello *hello) {
  static const gw_http_handler_v1 handler = {.request = greet};
  gw_route_v1 route = {
      .method = TEXT("GET"),
      .pattern = TEXT("/v1/hello-c"),
      .scope = TEXT("read"),
      .flags = GW_ROUTE_INLINE,
      .operation = TEXT("{\"summary\":\"Greets\",\"operationId\":\"hello_c_get\",\"tags\":[\"hello_c\"]}"),
      .user = hello,
  };
  return hello->http->add_route(hello->context, &route, &handler);
}

/* [setup] */
static gw_status create(const gw_host_v1 *host, gw_bytes settings, void **self) {
  (void)settings; /* a plugin with settings reads this JSON object */
  const gw_core_v1 *core = host->interface(host->context, GW_CORE_1);
  if (core == NULL) return GW_E_UNSUPPORTED;
  const gw_http_v1 *http = host->interface(host->context, GW_HTTP_1);
  if (http == NULL) {
    core->set_error(host->context, text("This gateway does not offer " GW_HTTP_1 "."));
    return GW_E_UNSUPPORTED;
  }
  struct hello *hello = calloc(1, sizeof *hello);
  if (hello == NULL) return GW_E_INTERNAL;
  hello->context = host->context;
  hello->core = core;
  hello->http = http;
  hello->health = host->interface(host->context, GW_HEALTH_1);
  *self = hello; /* from here on, destroy frees it, also after a failure */

  gw_status status = add_route(hello);
  if (status < 0 || hello->health == NULL) return status;
  return hello->health->add_check(hello->context, text("greeter"), 10000, 1000, check, hello);
}

static const void *interface(void *self, const char *id) {
  (void)self;
  (void)id;
  return NULL; /* no state to hand over */
}

static gw_status activate(void *self) {
  (void)self;
  return GW_OK;
}

/* [setup] Nothing runs of its own, so it is done at once. */
static void quiesce(void *self, gw_operation done) {
  const struct hello *hello = self;
  hello->core->complete(hello->context, done, GW_OK, text(""));
}

static void destroy(void *self) { free(self); }

GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t host_major, uint32_t host_minor) {
  static const gw_plugin_v1 plugin = {
      .struct_size = sizeof(gw_plugin_v1),
      .abi_major = GW_ABI_MAJOR,
      .abi_minor = GW_ABI_MINOR,
      .id = TEXT("hello_c"),
      .version = TEXT("1.0.0"),
      .description = TEXT("Greets in C."),
      .create = create,
      .interface = interface,
      .activate = activate,
      .quiesce = quiesce,
      .destroy = destroy,
  };
  (void)host_minor; /* every minor fits: what it lacks is asked for by id */
  return host_major == GW_ABI_MAJOR ? &plugin : NULL;
}
