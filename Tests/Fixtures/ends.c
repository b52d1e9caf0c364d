// A plugin that ends the gateway's process in other ways than by a bad address.
#include "fixture.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static gw_status leaves(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  exit(0);
}
static gw_status leaves_at_once(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  _exit(3);
}
static gw_status aborts(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  abort();
}
// A fault of which no handler of the host hears.
static gw_status unheard(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  signal(SIGSEGV, SIG_DFL);
  *(volatile int *)0 = 0;
  return GW_PENDING;
}
// Ends a process, which is not the gateway's.
static gw_status forks(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  pid_t child = fork();
  if (child == 0) exit(0);
  waitpid(child, NULL, 0);
  return TABLE(gw_http_v1, GW_HTTP_1)->reply(CTX, request->handle, 200, TEXT("done"), TEXT("{}"), NULL, 0);
}
// Without an end that the compiler knows of, and with a frame that it does not fold away.
static int deeper(volatile char *above) {
  volatile char frame[4096];
  frame[0] = *above;
  return frame[0] ? deeper(frame) + frame[0] : 0;
}
static gw_status overflows(void *user, const gw_request_v1 *request, void **state) {
  volatile char first = 1;
  (void)user, (void)request, (void)state;
  return deeper(&first);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const struct { const char *path; uint32_t flags; gw_http_handler_v1 handler; } routes[] = {
      {"/v1/ends/exit", 0, {.request = leaves}},
      {"/v1/ends/_exit", 0, {.request = leaves_at_once}},
      {"/v1/ends/unheard", 0, {.request = unheard}},
      {"/v1/ends/fork", 0, {.request = forks}},
      {"/v1/ends/abort", GW_ROUTE_INLINE, {.request = aborts}},
      {"/v1/ends/overflow", 0, {.request = overflows}}};
  host = given;
  (void)settings;
  *self = NULL;
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route("GET", routes[i].path, routes[i].flags | GW_ROUTE_PUBLIC, &routes[i].handler) < 0)
      return GW_E_INTERNAL;
  return GW_OK;
}
PLUGIN("ends", create)
