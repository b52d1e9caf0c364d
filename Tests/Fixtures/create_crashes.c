// Dies in create.
#include "fixture.h"
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  (void)given, (void)settings;
  *(volatile int *)16 = 1;
  *self = NULL;
  return GW_OK;
}
PLUGIN("create_crashes", create)
