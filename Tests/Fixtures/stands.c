// A plugin whose inline routes keep their loop: for ever, or until the file "release" is in the data directory. With
// {"slow": true}, its activate waits for that file too.
#define _GNU_SOURCE
#define ACTIVATE starts
#include "fixture.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static char directory[512];
static int is_slow;

// Whether a file of the data directory is there; makes it first when told to.
static int there(const char *name, int make) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, make ? "w" : "r");
  if (file) fclose(file);
  return file != NULL;
}
static void hold(void) {
  there("reached", 1);
  while (!there("release", 0)) usleep(1000);
}
static gw_status starts(void *self) {
  (void)self;
  if (is_slow) hold();
  return GW_OK;
}
static gw_status spins(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)request, (void)state;
  for (volatile int turn = 0;;) turn = !turn;
}
// Hears no signal that can be kept out.
static gw_status deaf(void *user, const gw_request_v1 *request, void **state) {
  sigset_t all;
  (void)user, (void)request, (void)state;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  for (;;) pause();
}
static gw_status holds(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  hold();
  return TABLE(gw_http_v1, GW_HTTP_1)->reply(CTX, request->handle, 200, TEXT("done"), TEXT("{}"), NULL, 0);
}
static gw_status answers(void *user, const gw_request_v1 *request, void **state) {
  (void)user, (void)state;
  return TABLE(gw_http_v1, GW_HTTP_1)->reply(CTX, request->handle, 200, TEXT("done"), TEXT("{}"), NULL, 0);
}

static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  static const struct { const char *path; gw_http_handler_v1 handler; } routes[] = {
      {"/v1/stands/spin", {.request = spins}},
      {"/v1/stands/deaf", {.request = deaf}},
      {"/v1/stands/held", {.request = holds}},
      {"/v1/stands", {.request = answers}}};
  host = given;
  is_slow = memmem(settings.start, settings.count, "slow", 4) != NULL;
  *self = NULL;
  gw_bytes path = TABLE(gw_core_v1, GW_CORE_1)->data_directory(CTX);
  snprintf(directory, sizeof directory, "%.*s", (int)path.count, (const char *)path.start);
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    if (add_route("GET", routes[i].path, GW_ROUTE_INLINE | GW_ROUTE_PUBLIC, &routes[i].handler) < 0)
      return GW_E_INTERNAL;
  return GW_OK;
}
PLUGIN("stands", create)
