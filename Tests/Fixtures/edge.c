// A plugin whose routes take the host to its edges: each answers in one way that a test can ask for.
#include "fixture.h"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define HTTP TABLE(gw_http_v1, GW_HTTP_1)

static unsigned long parameter(const gw_request_v1 *request) {
  char text[24] = {0};
  gw_bytes value = request->parameters[0].value;
  memcpy(text, value.start, value.count < 23 ? value.count : 23);
  return strtoul(text, NULL, 10);
}
static gw_status reply_number(const gw_request_v1 *request, const char *name, long number) {
  char data[80];
  int count = snprintf(data, sizeof data, "{\"%s\":%ld}", name, number);
  return HTTP->reply(CTX, request->handle, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}

// The request as it was seen, one fact a line; parameters and query in hexadecimal, as they may hold anything.
static size_t put(char *out, size_t at, size_t room, const char *name, gw_bytes value) {
  if (room - at < 2 * value.count + 32) return at;
  at += (size_t)snprintf(out + at, room - at, "%s=", name);
  for (size_t i = 0; i < value.count; i++) at += (size_t)snprintf(out + at, room - at, "%02x", value.start[i]);
  return at + (size_t)snprintf(out + at, room - at, "\n");
}
static gw_status seen(void *user, const gw_request_v1 *request, void **state) {
  static _Thread_local char out[65536];
  char left[24];
  gw_field type = {TEXT("Content-Type"), TEXT("text/plain")};
  size_t at = 0, room = sizeof out;
  (void)user, (void)state;
  at = put(out, at, room, "method", request->method);
  at = put(out, at, room, "path", request->path);
  at = put(out, at, room, "query", request->query);
  at = put(out, at, room, "subject", request->subject);
  at = put(out, at, room, "scopes", request->scopes);
  at = put(out, at, room, "tier", request->tier);
  at = put(out, at, room, "request_id", request->request_id);
  at = put(out, at, room, "trace_id", request->trace_id);
  at = put(out, at, room, "peer", request->peer);
  at = put(out, at, room, "body", request->body);
  int digits = snprintf(left, sizeof left, "%llu", (unsigned long long)(request->deadline - TABLE(gw_core_v1, GW_CORE_1)->now(CTX)));
  at = put(out, at, room, "left", (gw_bytes){(uint8_t *)left, (size_t)digits});
  TABLE(gw_log_v1, GW_LOG_1)->write(CTX, GW_LOG_INFO, request->handle, TEXT("looked at a request"), NULL, 0);
  for (size_t i = 0; i < request->parameter_count; i++)
    at = put(out, at, room, "parameter", request->parameters[i].value);
  for (size_t i = 0; i < request->field_count; i++) {
    at = put(out, at, room, "name", request->fields[i].name);
    at = put(out, at, room, "value", request->fields[i].value);
  }
  return HTTP->respond(CTX, request->handle, 200, &type, 1, (gw_buffer){{(uint8_t *)out, at}, NULL, NULL});
}

static gw_status echo(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return HTTP->respond(CTX, request->handle, 200, NULL, 0, (gw_buffer){request->body, NULL, NULL});
}

// Counts a body that comes in parts.
typedef struct Sink { size_t bytes; } Sink;
static gw_status sink(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request;
  *state = calloc(1, sizeof(Sink));
  return GW_PENDING;
}
static gw_status sink_body(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  char data[80];
  (void)user;
  ((Sink *)state)->bytes += chunk.count;
  if (!last) return GW_PENDING;
  int count = snprintf(data, sizeof data, "{\"bytes\":%zu}", ((Sink *)state)->bytes);
  return HTTP->reply(CTX, request, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}
// Breaks the contract: says that it has answered, and has not.
static gw_status silent(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_OK;
}
static gw_status ignored(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  (void)user, (void)state, (void)request, (void)chunk, (void)last;
  return GW_OK;
}
static void freed(void *user, void *state, gw_request request) { (void)user, (void)request; free(state); }

// Streams as many bytes as the path says, with or without a length, as fast as the client takes them.
typedef struct Stream { int has_room, is_cancelled; } Stream;
static gw_status stream(const gw_request_v1 *request, void **state, uint64_t length) {
  static const uint8_t letters[1000] = {[0 ... 999] = 's'};
  Stream *stream = calloc(1, sizeof(Stream));
  size_t left = parameter(request);
  *state = stream;
  if (HTTP->start(CTX, request->handle, 200, NULL, 0, length) < 0) return GW_OK;
  while (left > 0) {
    size_t count = left < sizeof letters ? left : sizeof letters;
    gw_status status = HTTP->write(CTX, request->handle, (gw_buffer){{letters, count}, NULL, NULL});
    if (status < 0) return GW_OK;
    left -= count;
    if (status != GW_AGAIN) continue;
    while (!__atomic_exchange_n(&stream->has_room, 0, __ATOMIC_ACQ_REL)) {
      if (__atomic_load_n(&stream->is_cancelled, __ATOMIC_ACQUIRE)) return GW_OK;
      usleep(500);
    }
  }
  HTTP->finish(CTX, request->handle);
  return GW_OK;
}
static gw_status chunked(void *user, const gw_request_v1 *request, void **state) {
  (void)user;
  return stream(request, state, UINT64_MAX);
}
static gw_status sized(void *user, const gw_request_v1 *request, void **state) {
  (void)user;
  return stream(request, state, parameter(request));
}
// Promises one byte more than it sends.
static gw_status short_stream(void *user, const gw_request_v1 *request, void **state) {
  (void)user;
  return stream(request, state, parameter(request) + 1);
}
static void writable(void *user, void *state, gw_request request) {
  (void)user, (void)request;
  __atomic_store_n(&((Stream *)state)->has_room, 1, __ATOMIC_RELEASE);
}
static void cancelled(void *user, void *state, gw_request request, int32_t reason) {
  (void)user, (void)request, (void)reason;
  __atomic_store_n(&((Stream *)state)->is_cancelled, 1, __ATOMIC_RELEASE);
}

// Requests that wait: until released, or for the milliseconds of the path.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { gw_request handle; uint64_t due; } held[1024];
static size_t held_count;
static unsigned releases;

static gw_status keep(const gw_request_v1 *request, uint64_t due) {
  gw_status status = GW_E_LIMIT;
  pthread_mutex_lock(&lock);
  if (held_count < sizeof held / sizeof *held) {
    held[held_count].handle = request->handle;
    held[held_count++].due = due;
    status = GW_PENDING;
  }
  pthread_mutex_unlock(&lock);
  return status;
}
static void answer_due(uint64_t now) {
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < held_count;) {
    if (held[i].due > now) { i++; continue; }
    HTTP->reply(CTX, held[i].handle, 200, TEXT("held"), TEXT("{\"held\":true}"), NULL, 0);
    held[i] = held[--held_count];
  }
  pthread_mutex_unlock(&lock);
}
// Keeps its loop, or its thread of the pool, for a while.
static gw_status nap(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  usleep(300000);
  return reply_number(request, "napped", 1);
}
static gw_status hold(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return keep(request, UINT64_MAX);
}
static gw_status after(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return keep(request, TABLE(gw_core_v1, GW_CORE_1)->now(CTX) + parameter(request) * 1000000);
}
static void tick(void *user, gw_job job) {
  (void)user, (void)job;
  answer_due(TABLE(gw_core_v1, GW_CORE_1)->now(CTX));
}
// Keeps a thread of the pool until released.
static gw_status block(void *user, const gw_request_v1 *request, void **state) {
  unsigned before = __atomic_load_n(&releases, __ATOMIC_ACQUIRE);
  (void)user, (void)state;
  while (__atomic_load_n(&releases, __ATOMIC_ACQUIRE) == before) usleep(500);
  return reply_number(request, "blocked", 1);
}
// Takes a body's first bytes and no more of it until released.
static gw_status open_stuck(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  return GW_PENDING;
}
static gw_status stuck(void *user, void *state, gw_request request, gw_bytes chunk, int32_t last) {
  unsigned before = __atomic_load_n(&releases, __ATOMIC_ACQUIRE);
  (void)user, (void)state, (void)request, (void)chunk, (void)last;
  while (__atomic_load_n(&releases, __ATOMIC_ACQUIRE) == before) usleep(500);
  return GW_OK;
}
static gw_status release(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  __atomic_add_fetch(&releases, 1, __ATOMIC_ACQ_REL);
  answer_due(UINT64_MAX);
  return reply_number(request, "released", 1);
}
static gw_status waiting(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pthread_mutex_lock(&lock);
  long count = (long)held_count;
  pthread_mutex_unlock(&lock);
  return reply_number(request, "waiting", count);
}

// Answers of a size, of a type that compresses well and of one that does not.
static gw_status letters(const gw_request_v1 *request, gw_bytes type) {
  size_t count = parameter(request);
  gw_field field = {TEXT("Content-Type"), type};
  uint8_t *bytes = malloc(count + 1);
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)('a' + i % 26);
  gw_status status = HTTP->respond(CTX, request->handle, 200, &field, 1, (gw_buffer){{bytes, count}, NULL, NULL});
  free(bytes);
  return status;
}
static gw_status text(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return letters(request, TEXT("text/plain; charset=utf-8"));
}
static gw_status image(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return letters(request, TEXT("image/png"));
}
static gw_status failed(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return HTTP->fail(CTX, request->handle, (uint16_t)parameter(request), TEXT(""), TEXT("It failed as asked."),
                    TEXT(""), NULL, 0);
}

// Publishes the body on the topic of the path, for the subject of the query.
static gw_status publish(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  gw_status status = TABLE(gw_events_v1, GW_EVENTS_1)
                         ->publish(CTX, request->parameters[0].value, request->query, request->body);
  return reply_number(request, "status", status);
}
// Sends the caller as many events of 1,000 bytes as the path says.
static gw_status flood(void *user, const gw_request_v1 *request, void **state) {
  char payload[1000];
  long sent = 0;
  (void)user, (void)state;
  memset(payload, 'f', sizeof payload);
  memcpy(payload, "{\"x\":\"", 6);
  memcpy(payload + sizeof payload - 2, "\"}", 2);
  for (unsigned long left = parameter(request); left > 0;) {
    gw_status status = TABLE(gw_events_v1, GW_EVENTS_1)
                           ->publish(CTX, TEXT("edge.own"), request->subject,
                                     (gw_bytes){(uint8_t *)payload, sizeof payload});
    if (status == GW_E_BUSY) { usleep(100); continue; }
    if (status < 0) break;
    left--, sent++;
  }
  return reply_number(request, "sent", sent);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const gw_http_handler_v1 streamed = {.request = sink, .body = sink_body, .end = freed};
  static const gw_http_handler_v1 unanswered = {.request = silent, .body = ignored};
  static const gw_http_handler_v1 stopped = {.request = open_stuck, .body = stuck};
  static const gw_http_handler_v1 streams[] = {
      {.request = chunked, .writable = writable, .cancel = cancelled, .end = freed},
      {.request = sized, .writable = writable, .cancel = cancelled, .end = freed},
      {.request = short_stream, .writable = writable, .cancel = cancelled, .end = freed}};
  static const struct { const char *method, *path; uint32_t flags; gw_http_handler_v1 handler; } routes[] = {
      {"GET", "/v1/edge/seen/{name}", 0, {.request = seen}},
      {"POST", "/v1/edge/seen/{name}", 0, {.request = seen}},
      {"POST", "/v1/edge/echo", 0, {.request = echo}},
      {"POST", "/v1/edge/inline", GW_ROUTE_INLINE, {.request = echo}},
      {"GET", "/v1/edge/nap", GW_ROUTE_INLINE, {.request = nap}},
      {"GET", "/v1/edge/hold", 0, {.request = hold}},
      {"GET", "/v1/edge/after/{ms}", 0, {.request = after}},
      {"GET", "/v1/edge/block", 0, {.request = block}},
      {"GET", "/v1/edge/release", GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, {.request = release}},
      {"GET", "/v1/edge/waiting", GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, {.request = waiting}},
      {"GET", "/v1/edge/text/{count}", 0, {.request = text}},
      {"GET", "/v1/edge/image/{count}", 0, {.request = image}},
      {"GET", "/v1/edge/fail/{status}", GW_ROUTE_PUBLIC, {.request = failed}},
      {"POST", "/v1/edge/publish/{topic}", 0, {.request = publish}},
      {"GET", "/v1/edge/flood/{count}", 0, {.request = flood}}};
  const gw_events_v1 *events;
  host = given;
  (void)settings;
  *self = NULL;
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route(routes[i].method, routes[i].path, routes[i].flags, &routes[i].handler) < 0) return GW_E_INTERNAL;
  if (add_route("POST", "/v1/edge/sink", GW_ROUTE_STREAM, &streamed) < 0) return GW_E_INTERNAL;
  if (add_route("POST", "/v1/edge/silent", GW_ROUTE_STREAM, &unanswered) < 0) return GW_E_INTERNAL;
  if (add_route("POST", "/v1/edge/stuck", GW_ROUTE_STREAM, &stopped) < 0) return GW_E_INTERNAL;
  if (add_route("GET", "/v1/edge/chunked/{count}", 0, &streams[0]) < 0) return GW_E_INTERNAL;
  if (add_route("GET", "/v1/edge/sized/{count}", 0, &streams[1]) < 0) return GW_E_INTERNAL;
  if (add_route("GET", "/v1/edge/short/{count}", 0, &streams[2]) < 0) return GW_E_INTERNAL;
  events = TABLE(gw_events_v1, GW_EVENTS_1);
  events->declare(CTX, TEXT("edge.open"), TEXT(""), GW_TOPIC_PUBLIC);
  events->declare(CTX, TEXT("edge.own"), TEXT(""), 0);
  events->declare(CTX, TEXT("edge.admin"), TEXT("admin"), 0);
  return TABLE(gw_jobs_v1, GW_JOBS_1)->every(CTX, TEXT("answers"), 10, tick, NULL);
}
static void quiesce(void *self, gw_operation done) {
  __atomic_add_fetch(&releases, 1, __ATOMIC_ACQ_REL);
  quiesced(self, done);
}

static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .abi_minor = GW_ABI_MINOR,
                                    .id = {(const uint8_t *)"edge", 4},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .description = {(const uint8_t *)"Takes the host to its edges.", 28},
                                    .create = create,
                                    .interface = no_interface,
                                    .activate = activated,
                                    .quiesce = quiesce,
                                    .destroy = destroyed};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
