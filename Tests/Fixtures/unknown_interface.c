// Needs an interface that this host does not have.
#include "fixture.h"
static gw_status create(const gw_host_v1 *given, gw_bytes settings, void **self) {
  host = given;
  (void)settings;
  *self = NULL;
  if (host->interface(CTX, "gw.teleport/1")) return GW_OK;
  if (host->interface((gw_context){12345}, GW_CORE_1)) return GW_OK;
  return refuse(TEXT("this plugin needs gw.teleport/1"));
}
PLUGIN("unknown_interface", create)
