/* gateway_plugin.h: the contract between the AIVillage gateway and one service plugin. Version 1.0.
 *
 * TRUST. A plugin runs inside the gateway's process with all of its rights. What the host checks here stops mistakes,
 * not attackers. An operator may have the same file run in a process of its own: this contract is the same there.
 *
 * RULES
 *  R1  A struct name is frozen for ever: a new layout is a new name behind a new interface id. `struct_size` is a
 *      cross-check and must match exactly.
 *  R2  Whoever allocates frees. Bytes given to a callee are BORROWED: valid until that call returns; copy to keep.
 *  R3  Handles are numbers tagged with a generation. A stale or foreign handle gives GW_E_GONE, never a crash.
 *  R4  No exception, panic, longjmp or Swift error crosses this boundary.
 *  R5  Text is UTF-8 as start and count, not NUL-terminated. Only interface ids are NUL-terminated.
 *  R6  Numbers are only added, never changed. Treat an unknown status below zero as failure, an unknown flag as 0.
 *  R7  A plugin takes its threads from the host ("gw.jobs/1"): a thread of its own would outlive its code at a swap.
 *
 * THREADS, written behind every function:
 *  [setup]   a setup thread of the host; one call at a time for one instance; may block (files, databases)
 *  [loop]    the event-loop thread of the connection; must return at once (a watchdog counts overruns)
 *  [worker]  a thread of the host's bounded pool; may block; calls for different requests run side by side
 *  [job]     a thread that the host made for one job
 *  [any]     may be called from any of these
 *
 * LIFE: create -> activate -> serving -> quiesce -> destroy. Steps up to activate may fail, and a failure leaves
 * nothing behind (destroy is called if create gave a `self`). Several instances share a process and a data directory.
 * SWAP: new create -> old jobs end, if they move -> old checks and repeated work rest, its new requests wait -> old
 * snapshot -> new restore -> new activate -> all routes, topics, checks and services move at once. Then the old
 * generation is kept for a while, with requests and jobs under way but without new ones, events, checks and repeated
 * work; it is given everything back if the new one is worse. Whichever of the two does not serve in the end: its
 * requests end -> its jobs end -> quiesce -> destroy. Without state nothing rests or waits before the move.
 *
 * C11 and C++17; no dependencies, no variadics, no bit-fields, no enums in signatures.
 */
#ifndef GATEWAY_PLUGIN_H
#define GATEWAY_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#define GW_OPT _Nullable /* may be NULL */
#define GW_SET _Nonnull  /* never NULL */
#else
#define GW_OPT
#define GW_SET
#endif
#define GW_EXPORT __attribute__((visibility("default")))
#define GW_ABI_MAJOR 1u
#define GW_ABI_MINOR 0u
/* ---- status ------------------------------------------------------------------------------------------------ */
typedef int32_t gw_status;
#define GW_OK ((gw_status)0)
#define GW_PENDING ((gw_status)1)         /* from a request handler: answered later, from any thread */
#define GW_AGAIN ((gw_status)2)           /* from write: taken, but wait for `writable` before the next */
#define GW_E_ARGUMENT ((gw_status)-1)     /* an argument breaks this contract */
#define GW_E_STATE ((gw_status)-2)        /* not allowed now (a route added after activate, write before start) */
#define GW_E_GONE ((gw_status)-3)         /* the handle's subject has ended; nothing was done */
#define GW_E_DENIED ((gw_status)-4)       /* not granted to this plugin */
#define GW_E_UNSUPPORTED ((gw_status)-5)  /* this host or build cannot */
#define GW_E_LIMIT ((gw_status)-6)        /* a limit is reached; nothing was done */
#define GW_E_TIMEOUT ((gw_status)-7)
#define GW_E_SCHEMA ((gw_status)-8)       /* state of a schema this build cannot read */
#define GW_E_BUSY ((gw_status)-9)         /* try again later */
#define GW_E_NOT_FOUND ((gw_status)-10)   /* no such service */
#define GW_E_INTERNAL ((gw_status)-11)    /* the callee failed; the log says more */
/* ---- values ------------------------------------------------------------------------------------------------ */
typedef struct gw_context { uint64_t v; } gw_context;      /* one plugin instance, as the host knows it */
typedef struct gw_request { uint64_t v; } gw_request;      /* one request and its single answer */
typedef struct gw_operation { uint64_t v; } gw_operation;  /* something the plugin must complete, once */
typedef struct gw_job { uint64_t v; } gw_job;              /* one running job */
typedef struct gw_metric { uint64_t v; } gw_metric;        /* one defined metric */
typedef struct gw_bytes {
  const uint8_t *GW_OPT start; /* may be NULL when count is 0 */
  size_t count;
} gw_bytes;

typedef struct gw_field { /* a header field, a path parameter, or a log field */
  gw_bytes name;
  gw_bytes value;
} gw_field;
/* ---- entry ------------------------------------------------------------------------------------------------- */
/* What the host gives to create. Valid until destroy returns. */
typedef struct gw_host_v1 {
  uint32_t struct_size; /* sizeof(gw_host_v1) */
  uint32_t abi_major;
  uint32_t abi_minor;
  uint32_t generation; /* how often this plugin id was loaded in this process, from 1 */
  gw_context context;  /* first argument of every host function */
  /* [any] The table behind `id` (for example GW_HTTP_1), valid until destroy returns; NULL when this host does not
   * have it. Absence is normal: do without, or fail create with a sentence. */
  const void *GW_OPT (*GW_SET interface)(gw_context context, const char *GW_SET id);
} gw_host_v1;

/* What a library is. Static data: valid while the library is mapped. */
typedef struct gw_plugin_v1 {
  uint32_t struct_size; /* sizeof(gw_plugin_v1) */
  uint32_t abi_major;   /* GW_ABI_MAJOR as compiled */
  uint32_t abi_minor;
  uint32_t flags;       /* 0 */
  gw_bytes id;          /* [a-z][a-z0-9_]{0,31}; the name under "services" in /health */
  gw_bytes version;     /* semantic version */
  gw_bytes description; /* one sentence */
  /* [setup] Makes an instance: reads `settings` (a JSON object, the "settings" of the plugins.d file), opens its
   * database, declares routes, topics, checks, metrics and services. No traffic comes before activate.
   * Takes: host, valid until destroy returns; settings, borrowed. Gives: *self, passed back to every call.
   * Failure: say why with core->set_error, return a status below 0; destroy follows only if *self was set. */
  gw_status (*GW_SET create)(const gw_host_v1 *GW_SET host, gw_bytes settings, void *GW_OPT *GW_SET self);
  /* [any] The plugin's own table behind `id` (for example GW_PLUGIN_STATE_1), or NULL. */
  const void *GW_OPT (*GW_SET interface)(void *GW_OPT self, const char *GW_SET id);
  /* [setup] The last step that may fail. From its return on, requests may arrive. */
  gw_status (*GW_SET activate)(void *GW_OPT self);
  /* [setup] Stop own activity: jobs see should_stop. Requests under way still finish. Answer with
   * core->complete(done, GW_OK, ...), now or later; the host waits up to the drain limit. */
  void (*GW_SET quiesce)(void *GW_OPT self, gw_operation done);
  /* [setup] Free everything. No call of this instance is running and none will come. */
  void (*GW_SET destroy)(void *GW_OPT self);
} gw_plugin_v1;

/* The one exported symbol. Pure and repeatable: same static result each time, no side effect, under 50 ms.
 * Takes the host's version. Gives NULL when this build cannot serve that host (a wrong major). [any] */
GW_EXPORT const gw_plugin_v1 *GW_OPT gw_plugin_entry(uint32_t host_major, uint32_t host_minor);
/* ==== host interfaces ======================================================================================= */
#define GW_CORE_1 "gw.core/1"
typedef struct gw_core_v1 {
  /* [any] Nanoseconds of the monotonic clock. */
  uint64_t (*GW_SET now)(gw_context);
  /* [any] Absolute path of this plugin's own directory (mode 0700, kept over generations and restarts).
   * Gives bytes valid until destroy returns. */
  gw_bytes (*GW_SET data_directory)(gw_context);
  /* [any] The sentence that explains the failure this thread is about to return. Borrowed. Goes to the log and to
   * whoever asked for the load; never to an HTTP client. */
  void (*GW_SET set_error)(gw_context, gw_bytes message);
  /* [any] Ends `operation` with a status and result bytes (borrowed). Exactly once.
   * GW_E_GONE: already completed, or the host no longer waits. */
  gw_status (*GW_SET complete)(gw_context, gw_operation operation, gw_status status, gw_bytes result);
} gw_core_v1;

#define GW_LOG_1 "gw.log/1"
#define GW_LOG_DEBUG 0
#define GW_LOG_INFO 1
#define GW_LOG_WARNING 2
#define GW_LOG_ERROR 3
typedef struct gw_log_v1 {
  /* [any] 1 when lines of `level` are kept, else 0. */
  int32_t (*GW_SET enabled)(gw_context, int32_t level);
  /* [any] One line: the host adds time, plugin id and, when `about` is a live request, its request id (0: none).
   * All is borrowed; values are cut at 4 KiB, fields after the 32nd are left out. Never log secrets. */
  void (*GW_SET write)(gw_context, int32_t level, gw_request about, gw_bytes message, const gw_field *GW_OPT fields,
                       size_t field_count);
} gw_log_v1;
/* ---- HTTP -------------------------------------------------------------------------------------------------- */
#define GW_HTTP_1 "gw.http/1"
/* One request as a handler sees it. Every span is valid until that call of `request` returns. */
typedef struct gw_request_v1 {
  gw_request handle;
  gw_bytes method; /* "GET", ... A HEAD request reaches a GET route as "HEAD"; the host drops the body. */
  gw_bytes target; /* as sent: path and query */
  gw_bytes path;   /* as sent, percent-encoded */
  gw_bytes query;  /* behind the '?', percent-encoded; empty when absent */
  const gw_field *GW_OPT parameters; /* one for each {name} of the pattern, percent-decoded */
  size_t parameter_count;
  const gw_field *GW_OPT fields; /* header fields in the order sent, duplicates apart, names as sent, without the
                                    credentials (Authorization, X-API-Key, Cookie are left out) */
  size_t field_count;
  gw_bytes body;        /* the whole body on a buffered route; empty on a streaming one */
  uint64_t body_length; /* bytes announced by Content-Length; UINT64_MAX when chunked */
  gw_bytes subject;     /* who: the token's sub or the key's user; empty on a public route without credentials */
  gw_bytes scopes;      /* what they may: words separated by one space */
  gw_bytes tier;        /* rate limit tier */
  gw_bytes request_id;
  gw_bytes trace_id; /* 32 hex digits (W3C Trace Context) */
  gw_bytes peer;     /* address of the client, text */
  uint64_t deadline; /* core->now value after which the host answers 504 and cancels; on a streaming route the time
                        is counted anew from the body's last byte */
  uint32_t flags;    /* GW_REQUEST_* */
} gw_request_v1;
#define GW_REQUEST_AUTHENTICATED 1u /* subject is verified */
#define GW_REQUEST_MFA 2u           /* the token says a second factor was checked */
#define GW_CANCEL_PEER_GONE 1 /* the client closed its connection */
#define GW_CANCEL_DEADLINE 2  /* the route's timeout; the client has got 504 */
#define GW_CANCEL_DRAIN 3     /* the gateway is stopping and the drain limit passed */
#define GW_CANCEL_BODY 4      /* the body was malformed, too large or too slow; the client has got the error */

/* What a route calls. `user` is the route's; `state` is what `request` stored. For ONE request, request, body, and
 * end never overlap; cancel and writable may come while another of them runs, but not before `request` has returned
 * or called `start`: store *state before that. */
typedef struct gw_http_handler_v1 {
  /* [worker], or [loop] on an inline route. The request's head (and body, when buffered) is here.
   * Takes: request, borrowed. Gives: *state, yours until `end`.
   * Returns GW_OK: already answered. GW_PENDING: an answer follows (always so on a streaming route that waits for
   * its body). Below 0: the host answers 500 and logs set_error's sentence.
   * GW_OK without an answer is a fault of the plugin: 500 and a log line. */
  gw_status (*GW_SET request)(void *GW_OPT user, const gw_request_v1 *GW_SET request, void *GW_OPT *GW_SET state);
  /* [worker] The next bytes of the body, borrowed; `last` is 1 on the final call (which may be empty). At most 256 KiB
   * are read ahead of this call: blocking here is the back-pressure. Streaming routes only (NULL otherwise). Below 0:
   * the host answers 500 unless already answered, and sends no more. */
  gw_status (*GW_OPT body)(void *GW_OPT user, void *GW_OPT state, gw_request, gw_bytes chunk, int32_t last);
  /* [loop] After GW_AGAIN: there is room again. */
  void (*GW_OPT writable)(void *GW_OPT user, void *GW_OPT state, gw_request);
  /* [loop], or [worker] right behind `request` when it came while that ran. At most once: no answer is wanted any
   * more (GW_CANCEL_*). Later answers get GW_E_GONE. Must return at once. */
  void (*GW_OPT cancel)(void *GW_OPT user, void *GW_OPT state, gw_request, int32_t reason);
  /* [worker], or [loop] on an inline route. ALWAYS, once, last of all calls for this request, after it was answered
   * or cancelled and `request` has returned: free `state` here. */
  void (*GW_OPT end)(void *GW_OPT user, void *GW_OPT state, gw_request);
} gw_http_handler_v1;

#define GW_ROUTE_INLINE 1u /* run `request` on the loop; it must return at once (default: worker pool) */
#define GW_ROUTE_STREAM 2u /* deliver the body through `body` as it arrives (default: whole, with `request`) */
#define GW_ROUTE_PUBLIC 4u /* no credentials needed; `scope` must be empty */

/* One route. Everything is copied. */
typedef struct gw_route_v1 {
  gw_bytes method;  /* "GET" also answers HEAD */
  gw_bytes pattern; /* "/v1/files/{id}/content": literal segments and {name} segments; no trailing slash */
  gw_bytes scope;   /* the scope a caller needs: "read", "write", "admin"; empty only with GW_ROUTE_PUBLIC */
  uint32_t flags;
  uint32_t max_in_flight; /* requests of this route at once; more get 503. 0: the host's default */
  uint64_t max_body;      /* bytes; more gets 413. 0: the host's default */
  uint64_t timeout_ms;    /* from the request's last byte to the answer's start; then 504. 0: the host's default */
  gw_bytes operation;     /* an OpenAPI 3.1 Operation Object (JSON, up to 256 KiB), or empty */
  void *GW_OPT user;      /* first argument of the handler's functions */
} gw_route_v1;

/* Bytes with an owner. release NULL: copied before the call returns. Otherwise the host calls
 * release(owner, start, count) exactly once when done, also after a failed call. [any] */
typedef struct gw_buffer {
  gw_bytes bytes;
  void (*GW_OPT release)(void *GW_OPT owner, const uint8_t *GW_OPT start, size_t count);
  void *GW_OPT owner;
} gw_buffer;

/* All answer functions: [any]; one answer a request. GW_E_GONE: already answered, cancelled, or never was.
 * `fields`: at most 64, each value at most 8 KiB, no control characters, and none that frames the message
 * (Content-Length, Transfer-Encoding, Connection, Keep-Alive, TE, Trailer, Upgrade): else GW_E_ARGUMENT. */
typedef struct gw_http_v1 {
  /* [setup] Adds a route served by `handler` (copied). Before activate only (GW_E_STATE). GW_E_ARGUMENT: malformed,
   * or this method and pattern exist already; set_error of the host names which. */
  gw_status (*GW_SET add_route)(gw_context, const gw_route_v1 *GW_SET route, const gw_http_handler_v1 *GW_SET handler);
  /* Success in the gateway's envelope: {"success":true,"data":...,"message":...,"timestamp":...,"request_id":...}.
   * `status` 200...299 but 204 and 205, which have no body. `data` is one JSON value (empty: null), spliced in as it
   * is. `fields` are added to the head. Borrowed. */
  gw_status (*GW_SET reply)(gw_context, gw_request, uint16_t status, gw_bytes message, gw_bytes data,
                            const gw_field *GW_OPT fields, size_t field_count);
  /* An error in the gateway's envelope, or as problem+json for a client that prefers it. `status` 400...599;
   * `code` like VALIDATION_ERROR (empty: by status); `message` says what was wrong and what to do;
   * `details` is one JSON value (empty: left out). Borrowed. */
  gw_status (*GW_SET fail)(gw_context, gw_request, uint16_t status, gw_bytes code, gw_bytes message, gw_bytes details,
                           const gw_field *GW_OPT fields, size_t field_count);
  /* Any other answer, whole: `status` 200...599. The host adds Date, Content-Length, security and CORS fields, and
   * gzip where it may. */
  gw_status (*GW_SET respond)(gw_context, gw_request, uint16_t status, const gw_field *GW_OPT fields,
                              size_t field_count, gw_buffer body);
  /* A streamed answer: start, then write as often as needed, then finish. `length` is the exact number of bytes
   * (Content-Length) or UINT64_MAX (chunked). Streams are not compressed. */
  gw_status (*GW_SET start)(gw_context, gw_request, uint16_t status, const gw_field *GW_OPT fields,
                            size_t field_count, uint64_t length);
  /* Takes the bytes. GW_AGAIN: taken, but more than the high-water mark waits for the client; call again after
   * `writable`. GW_E_LIMIT: refused, four times the mark waits already, or more than `length`. */
  gw_status (*GW_SET write)(gw_context, gw_request, gw_buffer bytes);
  /* Ends the stream. With fewer bytes than `length` the connection is cut, so that the client sees the loss. */
  gw_status (*GW_SET finish)(gw_context, gw_request);
  /* Gives up: 500 if nothing was sent, else the connection is cut. */
  gw_status (*GW_SET abort)(gw_context, gw_request);
} gw_http_v1;
/* ---- events: WebSocket topics, and plugin to plugin --------------------------------------------------------- */
#define GW_EVENTS_1 "gw.events/1"
#define GW_TOPIC_PUBLIC 1u /* anyone on /ws may have it; otherwise only identified clients */
typedef void (*gw_event_fn)(void *GW_OPT user, gw_bytes topic, gw_bytes subject, gw_bytes payload);
typedef struct gw_events_v1 {
  /* [setup] Declares a topic this plugin publishes: [a-z][a-z0-9_.]{0,63}. `scope`: what a client needs besides
   * identity (empty: nothing). */
  gw_status (*GW_SET declare)(gw_context, gw_bytes topic, gw_bytes scope, uint32_t flags);
  /* [any] Sends `payload` (a JSON object, borrowed) to /ws clients: to `subject`'s own connections only, or, when
   * subject is empty, to all who may have the topic; and to plugins that subscribed. Clients see the object's
   * members beside the host's own "type" (the topic), "timestamp" and "sequence": leave those three names out.
   * GW_E_ARGUMENT: no object, or not a topic this plugin declared. GW_E_LIMIT: longer than one WebSocket message.
   * GW_E_BUSY: a subscribed plugin is 1024 events behind; nobody got this one. */
  gw_status (*GW_SET publish)(gw_context, gw_bytes topic, gw_bytes subject, gw_bytes payload);
  /* [setup] Calls `event` [worker] for each event of `topic` from any plugin, in order of publication, from the
   * return of activate on. */
  gw_status (*GW_SET subscribe)(gw_context, gw_bytes topic, gw_event_fn GW_SET event, void *GW_OPT user);
} gw_events_v1;
/* ---- services: calls between plugins, bytes only ------------------------------------------------------------ */
#define GW_SERVICES_1 "gw.services/1"
/* One call. Borrowed by the server for the call of gw_serve_fn. */
typedef struct gw_call_v1 {
  gw_bytes method;
  gw_bytes argument; /* by convention JSON */
  gw_bytes subject;  /* on whose behalf, as the caller says; empty: the plugin itself */
  gw_bytes caller;   /* plugin id, filled in by the host */
} gw_call_v1;
/* [worker] Serve one call: core->complete(answer, status, result), now or later. */
typedef void (*gw_serve_fn)(void *GW_OPT user, const gw_call_v1 *GW_SET call, gw_operation answer);
/* [worker] The call's end, always, once. GW_E_TIMEOUT: no answer in time; GW_E_GONE: the server was unloaded. */
typedef void (*gw_called_fn)(void *GW_OPT user, gw_status status, gw_bytes result);
typedef struct gw_services_v1 {
  /* [setup] Offers service `name`: [a-z][a-z0-9_.]{0,63}, one server a name (GW_E_ARGUMENT). */
  gw_status (*GW_SET serve)(gw_context, gw_bytes name, gw_serve_fn GW_SET serve, void *GW_OPT user);
  /* [any] Calls another plugin's service. `call` is copied: method and subject up to 256 bytes, argument up to
   * 16 MiB. `timeout_ms` 0 is 30 s; more than 10 minutes is 10 minutes. Below 0 `called` does not come:
   * GW_E_NOT_FOUND when nobody serves the name, GW_E_BUSY when the pool is full. */
  gw_status (*GW_SET call)(gw_context, gw_bytes service, const gw_call_v1 *GW_SET call, uint64_t timeout_ms,
                           gw_called_fn GW_SET called, void *GW_OPT user);
} gw_services_v1;
/* ---- health ------------------------------------------------------------------------------------------------- */
#define GW_HEALTH_1 "gw.health/1"
#define GW_HEALTHY 0
#define GW_DEGRADED 1
#define GW_UNHEALTHY 2
/* [worker] Answer with `report`, now or later, once. Never called again before that. */
typedef void (*gw_check_fn)(void *GW_OPT user, gw_operation answer);
typedef struct gw_health_v1 {
  /* [setup] Runs `check` every `period_ms` (at least 100); without an answer in `timeout_ms` it is shown as stale. */
  gw_status (*GW_SET add_check)(gw_context, gw_bytes name, uint64_t period_ms, uint64_t timeout_ms,
                                gw_check_fn GW_SET check, void *GW_OPT user);
  /* [any] The answer: one of the three above, and a JSON object with detail (or empty), up to 16 KiB. */
  gw_status (*GW_SET report)(gw_context, gw_operation answer, int32_t state, gw_bytes detail);
} gw_health_v1;
/* ---- metrics ------------------------------------------------------------------------------------------------ */
#define GW_METRICS_1 "gw.metrics/1"
#define GW_COUNTER 1   /* record adds (never below 0); name ends in _total */
#define GW_GAUGE 2     /* record sets */
#define GW_HISTOGRAM 3 /* record observes; unit seconds, or bytes */
typedef struct gw_metrics_v1 {
  /* [setup] Defines a metric of Prometheus name `name`, at most 4 labels. At most 100 label combinations are kept;
   * further ones are counted together under "other". */
  gw_status (*GW_SET define)(gw_context, int32_t kind, gw_bytes name, gw_bytes help, const gw_bytes *GW_OPT labels,
                             size_t label_count, gw_metric *GW_SET metric);
  /* [any] Records `value` for the label values, in the order of `labels`; each is cut at 128 bytes. */
  gw_status (*GW_SET record)(gw_context, gw_metric, double value, const gw_bytes *GW_OPT label_values,
                             size_t label_count);
} gw_metrics_v1;
/* ---- jobs: the host's threads ------------------------------------------------------------------------------- */
#define GW_JOBS_1 "gw.jobs/1"
typedef void (*gw_job_fn)(void *GW_OPT user, gw_job job);
typedef void (*gw_index_fn)(void *GW_OPT user, size_t index);
typedef struct gw_jobs_v1 {
  /* [any] Runs `work` [job] on a thread of its own, for as long as it takes; look at should_stop. `name` is shown
   * to operators. GW_E_LIMIT: too many jobs. GW_E_STATE: quiesce has begun. */
  gw_status (*GW_SET start)(gw_context, gw_bytes name, gw_job_fn GW_SET work, void *GW_OPT user, gw_job *GW_OPT job);
  /* [any] Runs `work` [worker] soon. GW_E_BUSY: the pool is full. */
  gw_status (*GW_SET submit)(gw_context, gw_job_fn GW_SET work, void *GW_OPT user);
  /* [setup] Runs `work` [worker] every `period_ms` (at least 10), never twice at once, from activate to quiesce. */
  gw_status (*GW_SET every)(gw_context, gw_bytes name, uint64_t period_ms, gw_job_fn GW_SET work, void *GW_OPT user);
  /* [any] 1 once the job should end (quiesce began, or `stop`), else 0. */
  int32_t (*GW_SET should_stop)(gw_context, gw_job);
  /* [any] Asks one job to end: its should_stop becomes 1. */
  gw_status (*GW_SET stop)(gw_context, gw_job);
  /* [worker][job] Runs `work(user, 0) ... work(user, count - 1)` on the host's compute threads and the caller's,
   * and returns when all have. `width` limits the threads (0: one for each core). */
  gw_status (*GW_SET parallel)(gw_context, size_t count, size_t width, gw_index_fn GW_SET work, void *GW_OPT user);
} gw_jobs_v1;
/* ==== plugin interfaces (asked for through gw_plugin_v1.interface) ============================================= */
/* Hand-over of what lives in memory, as versioned bytes. A plugin whose state is all in files does not need it. */
#define GW_PLUGIN_STATE_1 "gw.plugin.state/1"
typedef struct gw_plugin_state_v1 {
  gw_bytes schema;      /* a stable name, for example "org.example.cart" */
  uint32_t writes;      /* schema number this build writes */
  uint32_t reads_from;  /* lowest and highest schema number it can read */
  uint32_t reads_to;
  /* [setup] The old generation: hand the bytes, 256 MiB at most, to `write` (may be called often; borrowed). Requests
   * that outlast the hold, and jobs that do not move, run on beside this call. Below 0 refuses the swap. */
  gw_status (*GW_SET snapshot)(void *GW_OPT self, void *GW_OPT sink,
                               gw_status (*GW_SET write)(void *GW_OPT sink, gw_bytes bytes));
  /* [setup] The new generation, between create and activate; only with a name and number that it reads. Below 0, with
   * set_error's sentence, refuses the swap. */
  gw_status (*GW_SET restore)(void *GW_OPT self, uint32_t schema_number, gw_bytes state);
} gw_plugin_state_v1;

/* Jobs that move at a swap. Without this table the old generation stays until its jobs have ended by themselves; with
 * it they are told to end (should_stop becomes 1, also of jobs started meanwhile) and have 30 s for it; then the state
 * is asked for, and the new generation goes on from the last checkpoint in its activate. */
#define GW_PLUGIN_JOBS_1 "gw.plugin.jobs/1"
typedef struct gw_plugin_jobs_v1 {
  /* [setup] The swap failed or was undone: this generation goes on serving. Start the jobs again. */
  void (*GW_SET resume)(void *GW_OPT self);
} gw_plugin_jobs_v1;

/* What the plugin itself knows of being fit to serve, asked before it replaces anything. */
#define GW_PLUGIN_SELFTEST_1 "gw.plugin.selftest/1"
typedef struct gw_plugin_selftest_v1 {
  /* [setup] In a child process, with the real settings and an empty data directory, between create and destroy; at
   * most 5 s. Below 0, with set_error's sentence: this build is not taken. */
  gw_status (*GW_SET run)(void *GW_OPT self);
} gw_plugin_selftest_v1;

#ifdef __cplusplus
}
#endif
#if defined(__clang__)
#pragma clang diagnostic pop
#endif
#endif
