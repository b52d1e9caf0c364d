// A plugin that passes every test of the validator, but for the one fault that it is built with: -DFAULT=TWICE.
#include "gateway_plugin.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  NONE, ANY_MAJOR, IMPURE, SLOW, FLAGS, EARLY_THREAD, KEEPS_THREAD, MUTE, NEEDS_ALL, NEEDS_SUCCESS, ANY_TABLE, TWICE,
  NEVER, LIES, BAD_DATA, BAD_FIELD, NO_UTF8, LATE_READ, CANCEL, PART, NO_SUM, BLOCKS_LOOP, SILENT_CHECK, SILENT_SERVICE,
  BAD_EVENT, ENDLESS_JOB, SILENT_QUIESCE, DRIFTS, TAKES_ALL, RESUME, UNFIT, LEAKS, LEAKS_FILES, STATIC_HOST, STRAY,
  AFTER_SWAP
};
#ifndef FAULT
#define FAULT NONE
#endif

#define TEXT(s) ((gw_bytes){(const uint8_t *)(s), sizeof(s) - 1})
#define CRASH() (*(volatile int *)8 = 1)

typedef struct Service {
  const gw_host_v1 *host;
  gw_context context;
  uint32_t generation;
  const gw_core_v1 *core;
  const gw_http_v1 *http;
  const gw_events_v1 *events;
  const gw_health_v1 *health;
  const gw_jobs_v1 *jobs;
  const gw_services_v1 *services;
  char count[16]; // the state: ten digits
  size_t digits;
} Service;

static Service *latest;
static void *volatile leaked;

static int is_state(gw_bytes bytes) {
  for (size_t i = 0; i < bytes.count; i++)
    if (bytes.start[i] < '0' || bytes.start[i] > '9') return 0;
  return bytes.count == 10;
}

static gw_bytes kept;

static gw_status plain(void *user, const gw_request_v1 *request, void **state) {
  Service *service = user;
  (void)state;
  if (FAULT == NEVER) return GW_PENDING;
  if (FAULT == LIES) return GW_OK;
  if (FAULT == BLOCKS_LOOP && request->path.count > 10) usleep(300000); // the inline one
  if (FAULT == AFTER_SWAP && service->generation > 1)
    return service->http->fail(service->context, request->handle, 500, TEXT(""), TEXT("worse"), TEXT(""), NULL, 0);
  if (FAULT == BAD_DATA)
    return service->http->reply(service->context, request->handle, 200, TEXT(""), TEXT("{\"a\":}"), NULL, 0);
  if (FAULT == NO_UTF8)
    for (size_t i = 0; i < request->body.count; i++)
      if (request->body.start[i] == 0xFF) CRASH();
  if (FAULT == LATE_READ) { // reads the body of the request before: borrowed, and long returned
    if (kept.count > 1 && kept.start[0] == 0xDD && kept.start[1] == 0xDD) CRASH();
    kept = request->body;
  }
  gw_field field = {TEXT("Content-Length"), TEXT("3")};
  gw_status status = service->http->reply(service->context, request->handle, 200, TEXT(""), TEXT("1"), &field,
                                          FAULT == BAD_FIELD);
  if (FAULT == TWICE) service->http->reply(service->context, request->handle, 200, TEXT(""), TEXT("2"), NULL, 0);
  return status == GW_E_GONE ? GW_OK : status;
}

// A streamed body, of which the number of bytes is the answer.
typedef struct Upload { size_t bytes; } Upload;
static gw_status upload(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request;
  *state = calloc(1, sizeof(Upload));
  return GW_PENDING;
}
static gw_status part(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  Service *service = user;
  Upload *upload = state;
  if (FAULT == PART && chunk.count == 1) CRASH();
  upload->bytes += chunk.count;
  if (!last) return GW_PENDING;
  if (FAULT == NO_SUM) return GW_PENDING;
  return service->http->reply(service->context, request, 200, TEXT(""), TEXT("true"), NULL, 0);
}
static void cancelled(void *user, void *state, gw_request request, int32_t reason) {
  (void)user, (void)state, (void)request, (void)reason;
  if (FAULT == CANCEL) CRASH();
}
static void ended(void *user, void *state, gw_request request) {
  (void)user, (void)request;
  free(state);
}

static void check(void *user, gw_operation answer) {
  Service *service = user;
  if (FAULT != SILENT_CHECK) service->health->report(service->context, answer, GW_HEALTHY, TEXT("{}"));
}
static void serve(void *user, const gw_call_v1 *call, gw_operation answer) {
  Service *service = user;
  if (FAULT == SILENT_SERVICE && call->argument.count > 2) return;
  service->core->complete(service->context, answer, GW_OK, TEXT("{}"));
}
static void event(void *user, gw_bytes topic, gw_bytes subject, gw_bytes payload) {
  (void)user, (void)topic, (void)subject;
  if (FAULT == BAD_EVENT && payload.count == 2) CRASH();
}
static void tick(void *user, gw_job job) {
  Service *service = user;
  (void)job;
  service->events->publish(service->context, TEXT("misfit.tick"), TEXT(""), TEXT("{\"n\":1}"));
}
static void endless(void *user, gw_job job) {
  (void)user, (void)job;
  for (;;) pause();
}
static void *thread(void *unused) {
  for (;;) pause();
  return unused;
}
static void make_thread(void) {
  pthread_t made;
  pthread_create(&made, NULL, thread, NULL);
}
__attribute__((constructor)) static void early(void) {
  if (FAULT == EARLY_THREAD) make_thread();
}

static gw_status refuse(Service *service, gw_status status, gw_bytes why) {
  if (FAULT != MUTE) service->core->set_error(service->context, why);
  return status;
}
static gw_status declare(Service *service) {
  static const gw_http_handler_v1 whole = {.request = plain},
                                  parts = {.request = upload, .body = part, .cancel = cancelled, .end = ended};
  gw_route_v1 route = {.method = TEXT("POST"), .pattern = TEXT("/v1/misfit"), .scope = TEXT("read"), .user = service};
  gw_status status = service->http->add_route(service->context, &route, &whole);
  if (status < 0 && FAULT == NEEDS_SUCCESS) CRASH();
  if (status < 0) return status;
  route.pattern = TEXT("/v1/misfit/inline");
  route.flags = GW_ROUTE_INLINE;
  if ((status = service->http->add_route(service->context, &route, &whole)) < 0) return status;
  route.pattern = TEXT("/v1/misfit/parts");
  route.flags = GW_ROUTE_STREAM;
  if ((status = service->http->add_route(service->context, &route, &parts)) < 0) return status;
  if (service->health) {
    status = service->health->add_check(service->context, TEXT("self"), 1000, 200, check, service);
    if (status < 0) return status;
  }
  if (service->services)
    if ((status = service->services->serve(service->context, TEXT("misfit.echo"), serve, service)) < 0) return status;
  if (service->events) {
    if ((status = service->events->declare(service->context, TEXT("misfit.tick"), TEXT(""), 0)) < 0) return status;
    if ((status = service->events->subscribe(service->context, TEXT("misfit.tick"), event, service)) < 0) return status;
  }
  if (!service->jobs || !service->events) return GW_OK;
  return service->jobs->every(service->context, TEXT("tick"), 1000, tick, service);
}
static gw_status create(const gw_host_v1 *host, gw_bytes settings, void **self) {
  const gw_core_v1 *core = host->interface(host->context, GW_CORE_1);
  if (!core) return GW_E_UNSUPPORTED;
  Service *service = calloc(1, sizeof *service);
  *self = service;
  *service = (Service){.host = host, .context = host->context, .generation = host->generation, .core = core};
  memcpy(service->count, "0000000000", 10);
  if (settings.count < 2 || settings.start[0] != '{') return refuse(service, GW_E_ARGUMENT, TEXT("no object"));
  service->http = host->interface(host->context, GW_HTTP_1);
  service->events = host->interface(host->context, GW_EVENTS_1);
  service->health = host->interface(host->context, GW_HEALTH_1);
  service->jobs = host->interface(host->context, GW_JOBS_1);
  service->services = host->interface(host->context, GW_SERVICES_1);
  if (FAULT == NEEDS_ALL && !service->health) CRASH();
  if (!service->http) return refuse(service, GW_E_UNSUPPORTED, TEXT("without gw.http/1 there is nothing to do"));
  if (FAULT == STATIC_HOST) latest = service;
  if (FAULT == LEAKS && (leaked = malloc(16384))) memset(leaked, 1, 16384);
  if (FAULT == LEAKS_FILES) open("/dev/null", O_RDONLY);
  return declare(service);
}
static gw_status activate(void *self) {
  Service *service = self;
  if (FAULT == KEEPS_THREAD) make_thread();
  if (FAULT == ENDLESS_JOB) return service->jobs->start(service->context, TEXT("endless"), endless, service, NULL);
  return GW_OK;
}
static void quiesce(void *self, gw_operation done) {
  Service *service = FAULT == STATIC_HOST ? latest : self;
  if (FAULT != SILENT_QUIESCE) service->core->complete(service->context, done, GW_OK, TEXT(""));
}
static void destroy(void *self) {
  static Service old;
  if (FAULT == STRAY) {
    if (old.core) old.core->set_error(old.context, TEXT("long gone"));
    old = *(Service *)self;
  }
  free(self);
}

static gw_status snapshot(void *self, void *sink, gw_status (*write)(void *, gw_bytes)) {
  Service *service = self;
  if (FAULT == DRIFTS) service->count[9]++;
  return write(sink, (gw_bytes){(const uint8_t *)service->count, 10});
}
static gw_status restore(void *self, uint32_t schema, gw_bytes state) {
  Service *service = self;
  if (FAULT == TAKES_ALL) return GW_OK;
  if (schema != 1) return GW_E_SCHEMA;
  if (!is_state(state)) return refuse(service, GW_E_ARGUMENT, TEXT("not ten digits"));
  memcpy(service->count, state.start, 10);
  return GW_OK;
}
static void resume(void *self) {
  (void)self;
  if (FAULT == RESUME) CRASH();
}
static gw_status selftest(void *self) {
  return FAULT == UNFIT ? refuse(self, GW_E_INTERNAL, TEXT("it feels unfit")) : GW_OK;
}

static const void *interface(void *self, const char *id) {
  static const gw_plugin_state_v1 state = {.schema = {(const uint8_t *)"test.misfit", 11},
                                           .writes = 1,
                                           .reads_from = 1,
                                           .reads_to = 1,
                                           .snapshot = snapshot,
                                           .restore = restore};
  static const gw_plugin_jobs_v1 jobs = {.resume = resume};
  static const gw_plugin_selftest_v1 tests = {.run = selftest};
  (void)self;
  if (FAULT == ANY_TABLE || !strcmp(id, GW_PLUGIN_STATE_1)) return &state;
  if (!strcmp(id, GW_PLUGIN_JOBS_1)) return &jobs;
  return strcmp(id, GW_PLUGIN_SELFTEST_1) ? NULL : &tests;
}

#ifdef EXPORTS // one symbol too many
GW_EXPORT int misfit_counter;
#endif
#ifdef UNRESOLVED
extern void misfit_is_nowhere(void);
#endif
#ifdef UNIQUE
__asm__(".data\n.globl misfit_unique\n.type misfit_unique, @gnu_unique_object\n.size misfit_unique, 8\n"
        "misfit_unique: .quad 1\n.text\n");
#endif
#ifdef CODE_RELOCATION
__asm__(".text\n.quad gw_plugin_entry\n");
#endif

GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
#define DESCRIPTOR                                                                                              \
  {.struct_size = sizeof(gw_plugin_v1), .abi_major = GW_ABI_MAJOR, .abi_minor = GW_ABI_MINOR,                   \
   .flags = FAULT == FLAGS, .id = {(const uint8_t *)"misfit", 6}, .version = {(const uint8_t *)"1.2.3", 5},     \
   .description = {(const uint8_t *)"Has one fault.", 14}, .create = create, .interface = interface,            \
   .activate = activate, .quiesce = quiesce, .destroy = destroy}
  static const gw_plugin_v1 plugins[] = {DESCRIPTOR, DESCRIPTOR};
  static int calls;
  (void)minor;
#ifdef UNRESOLVED
  if (major == 77) misfit_is_nowhere();
#endif
  if (FAULT == SLOW) usleep(80000);
  if (FAULT != ANY_MAJOR && major != GW_ABI_MAJOR) return NULL;
  return &plugins[FAULT == IMPURE ? calls++ & 1 : 0];
}
