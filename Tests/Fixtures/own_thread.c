// Makes a thread by itself, which R7 forbids: its code must stay mapped.
#include "fixture.h"
#include <pthread.h>
#include <unistd.h>
static void *idle(void *unused) {
  for (;;) sleep(1000);
  return unused;
}
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  pthread_t thread;
  host = given;
  (void)settings;
  *self = NULL;
  pthread_create(&thread, NULL, idle, NULL);
  return GW_OK;
}
PLUGIN("own_thread", create)
