// A plugin with one lock, which some of its routes hold across a call of the host, and for which inline routes wait.
//
// "publish" and "call" take it, wait until an inline route is about to wait for it, and only then call the host.
// "busy" and "loop" take it, the latter inline, and publish.
#include "fixture.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int is_held, is_wanted;

static gw_status reply(gw_request request, long value) {
  char data[64];
  int count = snprintf(data, sizeof data, "{\"value\":%ld}", value);
  return TABLE(gw_http_v1, GW_HTTP_1)
      ->reply(CTX, request, 200, TEXT("done"), (gw_bytes){(uint8_t *)data, (size_t)count}, NULL, 0);
}
static gw_status publish(void) {
  gw_status status;
  while ((status = TABLE(gw_events_v1, GW_EVENTS_1)->publish(CTX, TEXT("locks.held"), TEXT(""), TEXT("{}"))) ==
         GW_E_BUSY)
    usleep(100);
  return status;
}
static void called(void *user, gw_status status, gw_bytes result) { (void)user, (void)status, (void)result; }
static gw_status call(void) {
  gw_call_v1 call = {.method = TEXT("nothing"), .argument = TEXT("{}")};
  return TABLE(gw_services_v1, GW_SERVICES_1)->call(CTX, TEXT("nobody"), &call, 1000, called, NULL);
}

static gw_status held_across(gw_request request, gw_status (*ask)(void)) {
  pthread_mutex_lock(&lock);
  atomic_store(&is_wanted, 0);
  atomic_store(&is_held, 1);
  while (!atomic_load(&is_wanted)) usleep(100);
  gw_status status = ask();
  atomic_store(&is_held, 0);
  pthread_mutex_unlock(&lock);
  return reply(request, status);
}
static gw_status publishes(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return held_across(request->handle, publish);
}
static gw_status calls(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return held_across(request->handle, call);
}
static gw_status busy(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pthread_mutex_lock(&lock);
  gw_status status = publish();
  pthread_mutex_unlock(&lock);
  return reply(request->handle, status);
}
static gw_status waits(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  atomic_store(&is_wanted, 1);
  pthread_mutex_lock(&lock);
  long value = atomic_load(&is_held);
  pthread_mutex_unlock(&lock);
  return reply(request->handle, value);
}
static gw_status held(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return reply(request->handle, atomic_load(&is_held));
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const struct { const char *method, *path; uint32_t flags; gw_http_handler_v1 handler; } routes[] = {
      {"GET", "/v1/locks", GW_ROUTE_INLINE, {.request = waits}},
      {"GET", "/v1/locks/held", GW_ROUTE_INLINE, {.request = held}},
      {"POST", "/v1/locks/publish", 0, {.request = publishes}},
      {"POST", "/v1/locks/call", 0, {.request = calls}},
      {"POST", "/v1/locks/busy", 0, {.request = busy}},
      {"POST", "/v1/locks/loop", GW_ROUTE_INLINE, {.request = busy}}};
  host = given;
  (void)settings;
  *self = NULL;
  if (TABLE(gw_events_v1, GW_EVENTS_1)->declare(CTX, TEXT("locks.held"), TEXT(""), GW_TOPIC_PUBLIC) < 0)
    return GW_E_INTERNAL;
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route(routes[i].method, routes[i].path, routes[i].flags | GW_ROUTE_PUBLIC, &routes[i].handler) < 0)
      return GW_E_INTERNAL;
  return GW_OK;
}
PLUGIN("locks", create)
