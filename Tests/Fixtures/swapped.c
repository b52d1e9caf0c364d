// A plugin to be replaced while it serves: every answer says which build and which generation gave it.
//
// Built with -DNAME=\"id\" -DBUILD=n and what else a build is to be: see the defaults below. Some files in the data
// directory, which all generations share, are read while it runs: "release" ends what waits, "sick-BUILD" makes that
// build report itself unhealthy. "doomed-BUILD" has it crash in create.
#include "fixture.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#ifndef NAME
#define NAME "swapped"
#endif
#ifndef BUILD
#define BUILD 1
#endif
#ifndef STATE // hands over what it has counted
#define STATE 1
#endif
#ifndef SCHEMA
#define SCHEMA "test.swapped"
#endif
#ifndef WRITES
#define WRITES 1
#endif
#ifndef READS_FROM
#define READS_FROM 1
#endif
#ifndef READS_TO
#define READS_TO 1
#endif
#ifndef JOB // 1: starts a job
#define JOB 0
#endif
#ifndef MOVES // 1: the job moves at a swap
#define MOVES 0
#endif
#ifndef TICK_MS // how long a round of the repeated work takes before it counts
#define TICK_MS 0
#endif
#ifndef FAILING // answers 500 to everything, one request of so many: 1 for all, 0 for none
#define FAILING 0
#endif
#ifndef UNFIT // 1: says so itself
#define UNFIT 0
#endif

#define HTTP TABLE(gw_http_v1, GW_HTTP_1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { long count, ticks, epoch; } numbers;
static char directory[512];

static int has_file(const char *name) {
  char path[640];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return access(path, F_OK) == 0;
}
static int is_released(void) { return has_file("release"); }

static int fails(void) {
  static unsigned requests;
  return FAILING && __atomic_fetch_add(&requests, 1, __ATOMIC_RELAXED) % (FAILING ? FAILING : 1) == 0;
}
static gw_status reply(gw_request request, const char *name, long number) {
  char data[160];
  int count = snprintf(data, sizeof data, "{\"build\":%d,\"generation\":%u,\"%s\":%ld}", BUILD, host->generation, name,
                       number);
  if (fails())
    return HTTP->fail(CTX, request, 500, TEXT(""), TEXT("This build fails."), TEXT(""), NULL, 0);
  return HTTP->reply(CTX, request, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}

static gw_status plain(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return reply(request->handle, "bytes", (long)request->body.count);
}

// Publishes under the lock, so that the numbers go out in their order.
static void publish(gw_bytes topic, long number) {
  char payload[96];
  int count = snprintf(payload, sizeof payload, "{\"number\":%ld,\"build\":%d,\"generation\":%u}", number, BUILD,
                       host->generation);
  gw_bytes bytes = {(uint8_t *)payload, (size_t)count};
  while (TABLE(gw_events_v1, GW_EVENTS_1)->publish(CTX, topic, TEXT(""), bytes) == GW_E_BUSY) usleep(100);
}
static gw_status counted(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pthread_mutex_lock(&lock);
  long number = ++numbers.count;
  publish(TEXT(NAME ".counted"), number);
  pthread_mutex_unlock(&lock);
  return reply(request->handle, "count", number);
}
static gw_status read_count(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pthread_mutex_lock(&lock);
  long number = numbers.count;
  pthread_mutex_unlock(&lock);
  return reply(request->handle, "count", number);
}
static gw_status read_epoch(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return reply(request->handle, "epoch", __atomic_load_n(&numbers.epoch, __ATOMIC_RELAXED));
}
static void tick(void *user, gw_job job) {
  (void)user, (void)job;
  usleep(TICK_MS * 1000);
  pthread_mutex_lock(&lock);
  publish(TEXT(NAME ".tick"), ++numbers.ticks);
  pthread_mutex_unlock(&lock);
}

// A body in parts, of which it gives back the number of bytes and their sum.
typedef struct Sum { size_t bytes; unsigned long sum; } Sum;
static gw_status sum(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request;
  *state = calloc(1, sizeof(Sum));
  return GW_PENDING;
}
static gw_status sum_body(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  Sum *sum = state;
  char data[160];
  (void)user;
  sum->bytes += chunk.count;
  for (size_t i = 0; i < chunk.count; i++) sum->sum += chunk.start[i];
  if (!last) return GW_PENDING;
  int count = snprintf(data, sizeof data, "{\"build\":%d,\"generation\":%u,\"bytes\":%zu,\"sum\":%lu}", BUILD,
                       host->generation, sum->bytes, sum->sum);
  return HTTP->reply(CTX, request, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}
static void freed(void *user, void *state, gw_request request) { (void)user, (void)request; free(state); }

// Waits in the plugin, with a thread of the pool, until released or no longer wanted.
typedef struct Wait { int is_cancelled; } Wait;
static gw_status wait_released(void *user, const gw_request_v1 *request, void **state) {
  Wait *wait = calloc(1, sizeof(Wait));
  (void)user;
  *state = wait;
  while (!is_released() && !__atomic_load_n(&wait->is_cancelled, __ATOMIC_ACQUIRE)) usleep(1000);
  return reply(request->handle, "waited", 1);
}
static void cancelled(void *user, void *state, gw_request request, int32_t reason) {
  (void)user, (void)request, (void)reason;
  __atomic_store_n(&((Wait *)state)->is_cancelled, 1, __ATOMIC_RELEASE);
}
// Numbered lines until released, then the word "end".
static gw_status stream(void *user, const gw_request_v1 *request, void **state) {
  Wait *wait = calloc(1, sizeof(Wait));
  char line[64];
  (void)user;
  *state = wait;
  if (HTTP->start(CTX, request->handle, 200, NULL, 0, UINT64_MAX) < 0) return GW_OK;
  for (long number = 0; !__atomic_load_n(&wait->is_cancelled, __ATOMIC_ACQUIRE); number++) {
    int is_last = is_released();
    int count = is_last ? snprintf(line, sizeof line, "end\n")
                        : snprintf(line, sizeof line, "%d %u %ld\n", BUILD, host->generation, number);
    HTTP->write(CTX, request->handle, (gw_buffer){{(uint8_t *)line, (size_t)count}, NULL, NULL});
    if (is_last) break;
    usleep(2000);
  }
  HTTP->finish(CTX, request->handle);
  return GW_OK;
}

// The job: counts epochs until it is to stop; one that does not move says in a file where it ended.
static void train(void *user, gw_job job) {
  char path[640];
  (void)user;
  while (!TABLE(gw_jobs_v1, GW_JOBS_1)->should_stop(CTX, job) && !(!MOVES && is_released())) {
    __atomic_add_fetch(&numbers.epoch, 1, __ATOMIC_RELAXED);
    usleep(1000);
  }
  snprintf(path, sizeof path, "%s/ended-%u", directory, host->generation);
  FILE *file = fopen(path, "w");
  if (!file) return;
  fprintf(file, "%ld", numbers.epoch);
  fclose(file);
}
static gw_status start_job(void) {
  return JOB ? TABLE(gw_jobs_v1, GW_JOBS_1)->start(CTX, TEXT("train"), train, NULL, NULL) : GW_OK;
}
static void resume(void *self) {
  (void)self;
  start_job();
}

static gw_status snapshot(void *self, void *sink, gw_status (*write)(void *, gw_bytes)) {
  char text[96];
  (void)self;
  pthread_mutex_lock(&lock);
  int count = snprintf(text, sizeof text, "%ld %ld %ld", numbers.count, numbers.ticks,
                       __atomic_load_n(&numbers.epoch, __ATOMIC_RELAXED));
  pthread_mutex_unlock(&lock);
  // In two parts, as large states come.
  gw_status status = write(sink, (gw_bytes){(uint8_t *)text, 1});
  return status < 0 ? status : write(sink, (gw_bytes){(uint8_t *)text + 1, (size_t)count - 1});
}
static gw_status restore(void *self, uint32_t schema, gw_bytes state) {
  char text[96] = {0};
  (void)self;
  if (schema < READS_FROM || schema > READS_TO) return GW_E_SCHEMA;
  memcpy(text, state.start, state.count < 95 ? state.count : 95);
  if (sscanf(text, "%ld %ld %ld", &numbers.count, &numbers.ticks, &numbers.epoch) != 3)
    return refuse(TEXT("the state is not three numbers"));
  return GW_OK;
}

static void check(void *user, gw_operation answer) {
  char name[32];
  (void)user;
  snprintf(name, sizeof name, "sick-%d", BUILD);
  TABLE(gw_health_v1, GW_HEALTH_1)->report(CTX, answer, has_file(name) ? GW_UNHEALTHY : GW_HEALTHY, TEXT(""));
}
static gw_status selftest(void *self) {
  (void)self;
  return UNFIT ? refuse(TEXT("this build is not fit to serve")) : GW_OK;
}

static gw_status declare_rest(void) {
  gw_metric metric;
  const gw_events_v1 *events = TABLE(gw_events_v1, GW_EVENTS_1);
  if (events->declare(CTX, TEXT(NAME ".counted"), TEXT(""), GW_TOPIC_PUBLIC) < 0) return GW_E_INTERNAL;
  if (events->declare(CTX, TEXT(NAME ".tick"), TEXT(""), GW_TOPIC_PUBLIC) < 0) return GW_E_INTERNAL;
  if (TABLE(gw_health_v1, GW_HEALTH_1)->add_check(CTX, TEXT("fitness"), 100, 1000, check, NULL) < 0)
    return GW_E_INTERNAL;
  if (TABLE(gw_metrics_v1, GW_METRICS_1)
          ->define(CTX, GW_COUNTER, TEXT(NAME "_asked_total"), TEXT("Requests."), NULL, 0, &metric) < 0)
    return GW_E_INTERNAL;
  return TABLE(gw_jobs_v1, GW_JOBS_1)->every(CTX, TEXT("tick"), 10, tick, NULL);
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const struct { const char *method, *path; uint32_t flags; gw_http_handler_v1 handler; } routes[] = {
      {"GET", "/v1/" NAME, GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, {.request = plain}},
      {"POST", "/v1/" NAME, GW_ROUTE_PUBLIC, {.request = plain}},
      {"GET", "/v1/" NAME "/pool", GW_ROUTE_PUBLIC, {.request = plain}},
      {"GET", "/v1/" NAME "/count", GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, {.request = read_count}},
      {"POST", "/v1/" NAME "/count", GW_ROUTE_PUBLIC, {.request = counted}},
      {"GET", "/v1/" NAME "/epoch", GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, {.request = read_epoch}},
      {"POST", "/v1/" NAME "/sum", GW_ROUTE_STREAM | GW_ROUTE_PUBLIC, {.request = sum, .body = sum_body, .end = freed}},
      {"GET", "/v1/" NAME "/wait", GW_ROUTE_PUBLIC, {.request = wait_released, .cancel = cancelled, .end = freed}},
      {"GET", "/v1/" NAME "/stream", GW_ROUTE_PUBLIC, {.request = stream, .cancel = cancelled, .end = freed}}};
  char doomed[32];
  host = given;
  (void)settings;
  *self = NULL;
  gw_bytes path = TABLE(gw_core_v1, GW_CORE_1)->data_directory(CTX);
  snprintf(directory, sizeof directory, "%.*s", (int)path.count, (const char *)path.start);
  snprintf(doomed, sizeof doomed, "doomed-%d", BUILD);
  if (has_file(doomed)) abort();
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route(routes[i].method, routes[i].path, routes[i].flags, &routes[i].handler) < 0) return GW_E_INTERNAL;
  *self = &numbers;
  return declare_rest();
}
static gw_status activate(void *self) {
  (void)self;
  return start_job();
}
static const void *interface(void *self, const char *id) {
  static const gw_plugin_state_v1 state = {.schema = {(const uint8_t *)SCHEMA, sizeof(SCHEMA) - 1},
                                           .writes = WRITES,
                                           .reads_from = READS_FROM,
                                           .reads_to = READS_TO,
                                           .snapshot = snapshot,
                                           .restore = restore};
  static const gw_plugin_jobs_v1 jobs = {.resume = resume};
  static const gw_plugin_selftest_v1 tests = {.run = selftest};
  (void)self;
  if (STATE && !strcmp(id, GW_PLUGIN_STATE_1)) return &state;
  if (MOVES && !strcmp(id, GW_PLUGIN_JOBS_1)) return &jobs;
  return strcmp(id, GW_PLUGIN_SELFTEST_1) ? NULL : &tests;
}

static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .abi_minor = GW_ABI_MINOR,
                                    .id = {(const uint8_t *)NAME, sizeof(NAME) - 1},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .description = {(const uint8_t *)"Is replaced while it serves.", 28},
                                    .create = create,
                                    .interface = interface,
                                    .activate = activate,
                                    .quiesce = quiesced,
                                    .destroy = destroyed};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
