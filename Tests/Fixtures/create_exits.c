// Ends the process in create.
#include "fixture.h"
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  (void)given, (void)settings, (void)self;
  exit(0);
}
PLUGIN("create_exits", create)
