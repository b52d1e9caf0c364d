/* hello_c: a small plugin in C. It greets, reads a setting, and hands its count over when it is replaced. */
#include "gateway_plugin.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "1.0.0"
#define NAME_BYTES 50
#define GREETING_BYTES 100
#define ESCAPED(bytes) (6 * (bytes)) /* one byte of text is at most \u0000 in JSON */

#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}

/* One instance. Two live at once during a swap, so nothing of it is static. */
struct service {
  gw_context context;
  const gw_core_v1 *core;
  const gw_http_v1 *http;
  const gw_health_v1 *health; /* NULL when this host has none */
  char greeting[GREETING_BYTES + 1];
  _Atomic uint64_t greeted; /* handlers run side by side */
};

static gw_bytes text(const char *words) {
  gw_bytes bytes = {(const uint8_t *)words, strlen(words)};
  return bytes;
}

/* ---- what it does, without the host ---- */

/* Writes `in` into `out` as it stands between the quotes of JSON; `out` has room for ESCAPED(in.count) + 1. */
static void escape(gw_bytes in, char *out) {
  for (size_t i = 0; i < in.count; i++) {
    uint8_t byte = in.start[i];
    if (byte == '"' || byte == '\\') *out++ = '\\';
    if (byte < 0x20) {
      out += sprintf(out, "\\u%04x", byte);
    } else {
      *out++ = (char)byte;
    }
  }
  *out = 0;
}

/* Whether `in` is UTF-8: a client may percent-encode any bytes into a path, and JSON is UTF-8. */
static int is_utf8(gw_bytes in) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  for (size_t i = 0; i < in.count;) {
    uint8_t first = in.start[i++];
    size_t more = first < 0x80 ? 0 : (first & 0xE0) == 0xC0 ? 1 : (first & 0xF0) == 0xE0 ? 2 : (first & 0xF8) == 0xF0 ? 3 : 4;
    if (more == 4 || more > in.count - i) return 0;
    uint32_t scalar = more == 0 ? first : first & (0x3Fu >> more);
    for (size_t left = more; left > 0; left--, i++) {
      if ((in.start[i] & 0xC0) != 0x80) return 0;
      scalar = scalar << 6 | (in.start[i] & 0x3Fu);
    }
    if (scalar < least[more] || scalar > 0x10FFFF || (scalar >= 0xD800 && scalar <= 0xDFFF)) return 0;
  }
  return 1;
}

struct cursor {
  const uint8_t *at, *end;
};

static int take(struct cursor *json, char wanted) {
  while (json->at < json->end && strchr(" \t\r\n", *json->at) != NULL && *json->at != 0) json->at++;
  if (json->at == json->end || *json->at != (uint8_t)wanted) return 0;
  json->at++;
  return 1;
}

static int take_string(struct cursor *json, gw_bytes *string) {
  if (!take(json, '"')) return 0;
  string->start = json->at;
  while (json->at < json->end && *json->at != '"' && *json->at != '\\') json->at++;
  string->count = (size_t)(json->at - string->start);
  return take(json, '"');
}

/* Reads {"greeting": "..."}; NULL, or the sentence that says what is wrong. */
static const char *read_settings(gw_bytes settings, char greeting[GREETING_BYTES + 1]) {
  static const char *const form = "settings must be {\"greeting\": \"text without backslashes\"}, or empty";
  strcpy(greeting, "Hello");
  if (settings.count == 0) return NULL; /* start may be NULL then */
  struct cursor json = {settings.start, settings.start + settings.count};
  if (!take(&json, '{')) return form;
  if (take(&json, '}')) return NULL;
  gw_bytes name, value;
  if (!take_string(&json, &name)) return form;
  if (name.count != strlen("greeting") || memcmp(name.start, "greeting", name.count) != 0) return form;
  if (!take(&json, ':') || !take_string(&json, &value) || !take(&json, '}')) return form;
  if (value.count == 0 || value.count > GREETING_BYTES) return "settings.greeting must have 1 to 100 bytes";
  memcpy(greeting, value.start, value.count);
  greeting[value.count] = 0;
  return NULL;
}

/* Reads a count in decimal; 0 when it is none. */
static int read_count(gw_bytes digits, uint64_t *count) {
  if (digits.count == 0 || digits.count > 18) return 0;
  *count = 0;
  for (size_t i = 0; i < digits.count; i++) {
    if (digits.start[i] < '0' || digits.start[i] > '9') return 0;
    *count = *count * 10 + (uint64_t)(digits.start[i] - '0');
  }
  return 1;
}

/* ---- routes ---- */

/* Gone: the client left or the deadline passed. Then nothing is owed any more. */
static gw_status answered(gw_status status) { return status == GW_E_GONE ? GW_OK : status; }

/* [loop] GET /v1/hello-c */
static gw_status greet(void *user, const gw_request_v1 *request, void **state) {
  const struct service *service = user;
  char escaped[ESCAPED(GREETING_BYTES) + 1], data[sizeof escaped + 32];
  *state = NULL;
  escape(text(service->greeting), escaped);
  snprintf(data, sizeof data, "{\"greeting\":\"%s\"}", escaped);
  return answered(
      service->http->reply(service->context, request->handle, 200, text(""), text(data), NULL, 0));
}

/* [worker] GET /v1/hello-c/{name} */
static gw_status greet_someone(void *user, const gw_request_v1 *request, void **state) {
  static const char *const details = "[{\"field\":\"name\",\"reason\":\"must be UTF-8 of at most 50 bytes\"}]";
  struct service *service = user;
  gw_bytes name = request->parameters[0].value; /* borrowed: valid until this function returns */
  *state = NULL;
  if (name.count > NAME_BYTES || !is_utf8(name)) {
    return answered(service->http->fail(service->context, request->handle, 422, text("VALIDATION_ERROR"),
                                        text("The name is too long, or not UTF-8."), text(details), NULL, 0));
  }
  char who[ESCAPED(NAME_BYTES) + 1], greeting[ESCAPED(GREETING_BYTES) + 1];
  char data[sizeof who + sizeof greeting + 64];
  escape(name, who);
  escape(text(service->greeting), greeting);
  uint64_t number = atomic_fetch_add(&service->greeted, 1) + 1;
  snprintf(data, sizeof data, "{\"greeting\":\"%s, %s!\",\"number\":%" PRIu64 "}", greeting, who, number);
  return answered(
      service->http->reply(service->context, request->handle, 200, text(""), text(data), NULL, 0));
}

static gw_status add_routes(struct service *service) {
  static const gw_http_handler_v1 plain = {.request = greet}, named = {.request = greet_someone};
  gw_route_v1 route = {
      .method = TEXT("GET"),
      .pattern = TEXT("/v1/hello-c"),
      .scope = TEXT("read"),
      .flags = GW_ROUTE_INLINE, /* on the event loop: it never waits */
      .operation = TEXT("{\"summary\":\"Greets\",\"operationId\":\"hello_c_get\",\"tags\":[\"hello_c\"]}"),
      .user = service,
  };
  gw_status status = service->http->add_route(service->context, &route, &plain);
  if (status < 0) return status;
  route.pattern = text("/v1/hello-c/{name}");
  route.flags = 0;
  route.operation = text("{\"summary\":\"Greets someone\",\"operationId\":\"hello_c_name_get\",\"tags\":[\"hello_c\"],"
                         "\"parameters\":[{\"name\":\"name\",\"in\":\"path\",\"required\":true,"
                         "\"schema\":{\"type\":\"string\",\"maxLength\":50}}]}");
  return service->http->add_route(service->context, &route, &named);
}

/* [worker] */
static void check(void *user, gw_operation answer) {
  const struct service *service = user;
  service->health->report(service->context, answer, GW_HEALTHY, text("{}"));
}

/* ---- hand-over ---- */

/* [setup] The old generation; requests that take longer than the hold still run. */
static gw_status snapshot(void *self, void *sink, gw_status (*write)(void *sink, gw_bytes bytes)) {
  struct service *service = self;
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, atomic_load(&service->greeted));
  return write(sink, text(digits));
}

/* [setup] The new generation, before activate. */
static gw_status restore(void *self, uint32_t schema_number, gw_bytes state) {
  struct service *service = self;
  uint64_t greeted;
  if (schema_number != 1) return GW_E_SCHEMA;
  if (!read_count(state, &greeted)) {
    service->core->set_error(service->context, text("The state is not a count of greetings."));
    return GW_E_ARGUMENT;
  }
  atomic_store(&service->greeted, greeted);
  return GW_OK;
}

static const void *interface(void *self, const char *id) {
  static const gw_plugin_state_v1 state = {
      .schema = TEXT("hello_c.greeted"),
      .writes = 1,
      .reads_from = 1,
      .reads_to = 1,
      .snapshot = snapshot,
      .restore = restore,
  };
  (void)self;
  return strcmp(id, GW_PLUGIN_STATE_1) == 0 ? &state : NULL;
}

/* ---- life ---- */

/* [setup] */
static gw_status create(const gw_host_v1 *host, gw_bytes settings, void **self) {
  const gw_core_v1 *core = host->interface(host->context, GW_CORE_1);
  if (core == NULL) return GW_E_UNSUPPORTED;
  const gw_http_v1 *http = host->interface(host->context, GW_HTTP_1);
  if (http == NULL) {
    core->set_error(host->context, text("This gateway does not offer " GW_HTTP_1 "."));
    return GW_E_UNSUPPORTED;
  }
  struct service *service = calloc(1, sizeof *service);
  if (service == NULL) return GW_E_INTERNAL;
  service->context = host->context;
  service->core = core;
  service->http = http;
  service->health = host->interface(host->context, GW_HEALTH_1);
  *self = service; /* from here on, destroy frees it, also after a failure */

  const char *problem = read_settings(settings, service->greeting);
  if (problem != NULL) {
    core->set_error(host->context, text(problem));
    return GW_E_ARGUMENT;
  }
  gw_status status = add_routes(service);
  if (status < 0 || service->health == NULL) return status;
  return service->health->add_check(service->context, text("greeter"), 10000, 1000, check, service);
}

static gw_status activate(void *self) {
  (void)self;
  return GW_OK;
}

/* [setup] Nothing runs of its own, so it is done at once. */
static void quiesce(void *self, gw_operation done) {
  const struct service *service = self;
  service->core->complete(service->context, done, GW_OK, text(""));
}

static void destroy(void *self) { free(self); }

GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t host_major, uint32_t host_minor) {
  static const gw_plugin_v1 plugin = {
      .struct_size = sizeof(gw_plugin_v1),
      .abi_major = GW_ABI_MAJOR,
      .abi_minor = GW_ABI_MINOR,
      .id = TEXT("hello_c"),
      .version = TEXT(VERSION),
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
