// Never returns from create.
#include "fixture.h"
#include <unistd.h>
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  (void)given, (void)settings, (void)self;
  for (;;) pause();
}
PLUGIN("create_hangs", create)
