// Uses events, services and jobs, and counts what came, in the metric caller_seen.
#include "fixture.h"
#include <unistd.h>
static gw_metric seen;
static void record(const char *what, double value) {
  gw_bytes label = {(const uint8_t *)what, strlen(what)};
  TABLE(gw_metrics_v1, GW_METRICS_1)->record(CTX, seen, value, &label, 1);
}
static void event(void *user, gw_bytes topic, gw_bytes subject, gw_bytes payload) {
  static int expected, disorder;
  (void)user, (void)topic, (void)subject;
  // The payload is {"n":<digit>}: the digits must come in order.
  if (payload.start[5] - '0' != expected++ % 10) disorder++;
  record("disorder", disorder);
  record("events", expected);
}
static void called(void *user, gw_status status, gw_bytes result) {
  (void)user, (void)result;
  record("status", status);
}
static void never_answers(void *user, const gw_call_v1 *call, gw_operation answer) {
  (void)user, (void)call, (void)answer;
}
static void repeated(void *user, gw_job job) {
  static double rounds;
  (void)user, (void)job;
  record("rounds", ++rounds);
}
static void add(void *user, size_t index) { __atomic_add_fetch((size_t *)user, index, __ATOMIC_RELAXED); }
static void job(void *user, gw_job job) {
  size_t sum = 0;
  (void)user;
  TABLE(gw_jobs_v1, GW_JOBS_1)->parallel(CTX, 1001, 0, add, &sum);
  record("sum", (double)sum);
  while (!TABLE(gw_jobs_v1, GW_JOBS_1)->should_stop(CTX, job)) usleep(1000);
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  gw_bytes label = TEXT("what");
  host = given;
  (void)settings;
  *self = NULL;
  TABLE(gw_metrics_v1, GW_METRICS_1)->define(CTX, GW_GAUGE, TEXT("caller_seen"), TEXT("."), &label, 1, &seen);
  TABLE(gw_events_v1, GW_EVENTS_1)->declare(CTX, TEXT("caller.tick"), TEXT(""), GW_TOPIC_PUBLIC);
  TABLE(gw_events_v1, GW_EVENTS_1)->subscribe(CTX, TEXT("caller.tick"), event, NULL);
  TABLE(gw_services_v1, GW_SERVICES_1)->serve(CTX, TEXT("caller.never"), never_answers, NULL);
  TABLE(gw_jobs_v1, GW_JOBS_1)->every(CTX, TEXT("rounds"), 10, repeated, NULL);
  return GW_OK;
}
// Does in one place what needs a plugin that is active.
static void after(void *user, gw_job job) {
  const gw_events_v1 *events = TABLE(gw_events_v1, GW_EVENTS_1);
  const gw_services_v1 *services = TABLE(gw_services_v1, GW_SERVICES_1);
  gw_call_v1 call = {.method = TEXT("m"), .argument = TEXT("{}")};
  (void)user, (void)job;
  for (int i = 0; i < 100; i++) {
    char payload[] = "{\"n\":0}";
    payload[5] = (char)('0' + i % 10);
    while (events->publish(CTX, TEXT("caller.tick"), TEXT(""), (gw_bytes){(uint8_t *)payload, 7}) == GW_E_BUSY) usleep(100);
  }
  record("undeclared", events->publish(CTX, TEXT("good.happened"), TEXT(""), TEXT("{}")));
  record("not_an_object", events->publish(CTX, TEXT("caller.tick"), TEXT(""), TEXT("[]")));
  record("nobody", services->call(CTX, TEXT("nobody"), &call, 1, called, NULL));
  services->call(CTX, TEXT("caller.never"), &call, 20, called, NULL);
}
static gw_status activate(void *self) {
  (void)self;
  TABLE(gw_jobs_v1, GW_JOBS_1)->start(CTX, TEXT("sums"), job, NULL, NULL);
  return GW_OK;
}
static void first_round(void *user, gw_job job) {
  static int done;
  if (!done) after(user, job);
  done = 1;
}
static gw_status create_all(const gw_host_v1 *given, gw_bytes settings, void **self) {
  gw_status status = create(given, settings, self);
  TABLE(gw_jobs_v1, GW_JOBS_1)->every(CTX, TEXT("first"), 10, first_round, NULL);
  return status;
}
static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),
                                    .abi_major = GW_ABI_MAJOR,
                                    .id = {(const uint8_t *)"caller", 6},
                                    .version = {(const uint8_t *)"1.2.3", 5},
                                    .create = create_all,
                                    .interface = no_interface,
                                    .activate = activate,
                                    .quiesce = quiesced,
                                    .destroy = destroyed};
GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return &plugin;
}
