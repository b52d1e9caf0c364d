// What every fixture has: a plugin without content, of which each fixture replaces the part that misbehaves.
#pragma once
#include "gateway_plugin.h"
#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((gw_bytes){(const uint8_t *)(s), sizeof(s) - 1})

static const gw_host_v1 *host;
#define TABLE(name, id) ((const struct name *)host->interface(host->context, id))
#define CTX (host->context)

static inline gw_status refuse(gw_bytes why) {
  TABLE(gw_core_v1, GW_CORE_1)->set_error(CTX, why);
  return GW_E_INTERNAL;
}

static inline const void *no_interface(void *self, const char *id) { (void)self, (void)id; return NULL; }
static inline gw_status activated(void *self) { (void)self; return GW_OK; }
static inline void destroyed(void *self) { (void)self; }
static inline void quiesced(void *self, gw_operation done) {
  (void)self;
  TABLE(gw_core_v1, GW_CORE_1)->complete(CTX, done, GW_OK, TEXT(""));
}

#ifndef MINOR // of the contract
#define MINOR GW_ABI_MINOR
#endif
#ifndef ACTIVATE
#define ACTIVATE activated
#endif

#define PLUGIN(name, make)                                                                          \
  static const gw_plugin_v1 plugin = {.struct_size = sizeof(gw_plugin_v1),                          \
                                      .abi_major = GW_ABI_MAJOR,                                    \
                                      .abi_minor = MINOR,                                           \
                                      .id = {(const uint8_t *)name, sizeof(name) - 1},              \
                                      .version = {(const uint8_t *)"1.2.3", 5},                     \
                                      .description = {(const uint8_t *)"A fixture.", 10},           \
                                      .create = make,                                               \
                                      .interface = no_interface,                                    \
                                      .activate = ACTIVATE,                                         \
                                      .quiesce = quiesced,                                          \
                                      .destroy = destroyed};                                        \
  GW_EXPORT const gw_plugin_v1 *gw_plugin_entry(uint32_t major, uint32_t minor) {                   \
    (void)major, (void)minor;                                                                       \
    return &plugin;                                                                                 \
  }

// A route without parameters of its own that `handler` serves.
static inline gw_status add_route(const char *method, const char *pattern, uint32_t flags,
                                  const gw_http_handler_v1 *handler) {
  gw_route_v1 route = {.method = {(const uint8_t *)method, strlen(method)},
                       .pattern = {(const uint8_t *)pattern, strlen(pattern)},
                       .flags = flags};
  if (!(flags & GW_ROUTE_PUBLIC)) route.scope = TEXT("read");
  return TABLE(gw_http_v1, GW_HTTP_1)->add_route(CTX, &route, handler);
}
