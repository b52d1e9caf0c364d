// A plugin that crashes, hangs or leaks in the one callback that its settings name.
//
// Settings: {"fault": "crash", "in": "quiesce", "armed": true}. With "armed" it waits for the file "armed" in the data
// directory, which the probe's is without; "crash_once" takes that file away first. BUILD makes another file of it.
#define _GNU_SOURCE
#include "fixture.h"
#include <stdio.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD 1
#endif
#define HTTP TABLE(gw_http_v1, GW_HTTP_1)

static char place[32], armed[640];
static int hangs, leaks, waits, once;

// Whether the text of the settings has `word` in quotes.
static int has_word(gw_bytes settings, const char *word) {
  char quoted[48];
  int count = snprintf(quoted, sizeof quoted, "\"%s\"", word);
  return memmem(settings.start, settings.count, quoted, (size_t)count) != NULL;
}
static void read_settings(gw_bytes settings) {
  static const char *places[] = {"create", "activate", "inline",   "pool",    "body",     "cancel", "end",
                                 "check",  "event",    "job",      "quiesce", "snapshot", "restore", "destroy",
                                 "tick",   "serve",    "writable", "selftest"};
  gw_bytes path = TABLE(gw_core_v1, GW_CORE_1)->data_directory(CTX);
  snprintf(armed, sizeof armed, "%.*s/armed", (int)path.count, (const char *)path.start);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (has_word(settings, places[i])) strcpy(place, places[i]);
  hangs = has_word(settings, "hang");
  leaks = has_word(settings, "leak");
  waits = has_word(settings, "armed");
  once = has_word(settings, "crash_once");
}
// The fault, if this is its place.
static void at(const char *name) {
  if (strcmp(name, place) || (waits && access(armed, F_OK))) return;
  if (once) unlink(armed);
  if (hangs) {
    char reached[660];
    snprintf(reached, sizeof reached, "%s.reached", armed);
    FILE *file = fopen(reached, "w");
    if (file) fclose(file);
    for (;;) pause();
  }
  if (leaks) {
    uint8_t *bytes = malloc(8 << 20);
    for (size_t i = 0; i < 8 << 20; i += 4096) bytes[i] = 1;
    return;
  }
  *(volatile int *)0 = 0;
}

static gw_status reply(gw_request request) {
  char data[64];
  int count = snprintf(data, sizeof data, "{\"build\":%d,\"generation\":%u}", BUILD, host->generation);
  return HTTP->reply(CTX, request, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}
static gw_status on_loop(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  at("inline");
  return reply(request->handle);
}
static gw_status on_pool(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  at("pool");
  return reply(request->handle);
}
static gw_status in_parts(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status part(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  (void)user, (void)state, (void)chunk;
  at("body");
  return last ? reply(request) : GW_PENDING;
}
// Never answered: ends when the client has left.
static gw_status unanswered(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static void cancelled(void *user, void *state, gw_request request, int32_t reason) {
  (void)user, (void)state, (void)request, (void)reason;
  at("cancel");
}
static void ended(void *user, void *state, gw_request request) {
  (void)user, (void)state, (void)request;
  at("end");
}
// More than a client takes at once.
static gw_status much(void *user, const gw_request_v1 *request, void **state) {
  static const uint8_t zeros[65536];
  (void)user, (void)state;
  HTTP->start(CTX, request->handle, 200, NULL, 0, UINT64_MAX);
  while (HTTP->write(CTX, request->handle, (gw_buffer){{zeros, sizeof zeros}, NULL, NULL}) == GW_OK) continue;
  return GW_PENDING;
}
static void writable(void *user, void *state, gw_request request) {
  (void)user, (void)state;
  at("writable");
  HTTP->finish(CTX, request);
}

static void work(void *user, gw_job job) {
  (void)user, (void)job;
  at("job");
}
static gw_status start_job(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  TABLE(gw_jobs_v1, GW_JOBS_1)->start(CTX, TEXT("work"), work, NULL, NULL);
  return reply(request->handle);
}
static void tick(void *user, gw_job job) {
  (void)user, (void)job;
  at("tick");
}
static void check(void *user, gw_operation answer) {
  (void)user;
  at("check");
  TABLE(gw_health_v1, GW_HEALTH_1)->report(CTX, answer, GW_HEALTHY, TEXT(""));
}
static void event(void *user, gw_bytes topic, gw_bytes subject, gw_bytes payload) {
  (void)user, (void)topic, (void)subject, (void)payload;
  at("event");
}
static gw_status publish(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  TABLE(gw_events_v1, GW_EVENTS_1)->publish(CTX, TEXT("faulty.said"), TEXT(""), TEXT("{}"));
  return reply(request->handle);
}
static void serve(void *user, const gw_call_v1 *call, gw_operation answer) {
  (void)user, (void)call;
  at("serve");
  TABLE(gw_core_v1, GW_CORE_1)->complete(CTX, answer, GW_OK, TEXT("{}"));
}
static void called(void *user, gw_status status, gw_bytes result) { (void)user, (void)status, (void)result; }
static gw_status call(void *user, const gw_request_v1 *request, void **state) {
  gw_call_v1 call = {.method = TEXT("ask")};
  (void)user, (void)state;
  TABLE(gw_services_v1, GW_SERVICES_1)->call(CTX, TEXT("faulty.service"), &call, 1000, called, NULL);
  return reply(request->handle);
}

static gw_status declare_rest(void) {
  const gw_events_v1 *events = TABLE(gw_events_v1, GW_EVENTS_1);
  gw_status all[] = {
      events->declare(CTX, TEXT("faulty.said"), TEXT(""), GW_TOPIC_PUBLIC),
      events->subscribe(CTX, TEXT("faulty.said"), event, NULL),
      TABLE(gw_health_v1, GW_HEALTH_1)->add_check(CTX, TEXT("check"), 100, 1000, check, NULL),
      TABLE(gw_services_v1, GW_SERVICES_1)->serve(CTX, TEXT("faulty.service"), serve, NULL),
      TABLE(gw_jobs_v1, GW_JOBS_1)->every(CTX, TEXT("tick"), 50, tick, NULL)};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i] < 0) return all[i];
  return GW_OK;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const struct { const char *method, *path; uint32_t flags; gw_http_handler_v1 handler; } routes[] = {
      {"GET", "/v1/faulty", GW_ROUTE_INLINE, {.request = on_loop}},
      {"GET", "/v1/faulty/pool", 0, {.request = on_pool}},
      {"POST", "/v1/faulty/body", GW_ROUTE_STREAM, {.request = in_parts, .body = part}},
      {"GET", "/v1/faulty/cancel", 0, {.request = unanswered, .cancel = cancelled}},
      {"GET", "/v1/faulty/end", 0, {.request = on_pool, .end = ended}},
      {"GET", "/v1/faulty/writable", 0, {.request = much, .writable = writable}},
      {"GET", "/v1/faulty/event", 0, {.request = publish}},
      {"GET", "/v1/faulty/job", 0, {.request = start_job}},
      {"GET", "/v1/faulty/serve", 0, {.request = call}}};
  host = given;
  *self = NULL;
  read_settings(settings);
  at("create");
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route(routes[i].method, routes[i].path, routes[i].flags | GW_ROUTE_PUBLIC, &routes[i].handler) < 0)
      return GW_E_INTERNAL;
  *self = place;
  return declare_rest();
}
static gw_status activate(void *self) {
  (void)self;
  at("activate");
  return GW_OK;
}
static void quiesce(void *self, gw_operation done) {
  at("quiesce");
  quiesced(self, done);
}
static void destroy(void *self) {
  (void)self;
  at("destroy");
}
static gw_status snapshot(void *self, void *sink, gw_status (*write)(void *, gw_bytes)) {
  (void)self;
  at("snapshot");
  return write(sink, TEXT("state"));
}
static gw_status restore(void *self, uint32_t schema, gw_bytes state) {
  (void)self, (void)schema, (void)state;
  at("restore");
  return GW_OK;
}
static gw_status selftest(void *self) {
  (void)self;
  at("selftest");
  return GW_OK;
}
static const void *interface(void *self, const char *id) {
  static const gw_plugin_state_v1 state = {.schema = {(const uint8_t *)"test.faulty", 11},
                                           .writes = 1,
                                           .reads_from = 1,
                                           .reads_to = 1,
                                           .snapshot = snapshot,
                                           .restore = restore};
  static const gw_plugin_selftest_v1 tests = {.run = selftest};
  (void)self;
  if (!strcmp(id, GW_PLUGIN_STATE_1)) return &state;
  return strcmp(id, GW_PLUGIN_SELFTEST_1) ? NULL : &tests;
}

static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .abi_minor = GW_ABI_MINOR,
                                    .id = {(const uint8_t *)"faulty", 6},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .description = {(const uint8_t *)"Fails where it is told to.", 26},
                                    .create = create,
                                    .interface = interface,
                                    .activate = activate,
                                    .quiesce = quiesce,
                                    .destroy = destroy};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
