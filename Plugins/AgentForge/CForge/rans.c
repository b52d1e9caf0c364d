#include <string.h>

#include "include/forge_compress.h"

// The state stays in RANS_LOW...2^31 - 1 between symbols.
#define RANS_LOW (1u << 23)

size_t forge_rans_encode(size_t n, const uint8_t *symbols, const uint16_t *frequencies, size_t room, uint8_t *out) {
  uint32_t starts[256], sum = 0;
  for (int s = 0; s < 256; s++) {
    starts[s] = sum;
    sum += frequencies[s];
  }
  uint8_t *next = out + room;
  uint32_t state = RANS_LOW;
  for (size_t i = n; i-- > 0;) {
    uint32_t frequency = frequencies[symbols[i]];
    uint32_t limit = (RANS_LOW >> FORGE_RANS_BITS << 8) * frequency;
    for (; state >= limit; state >>= 8) *--next = (uint8_t)state;
    state = (state / frequency << FORGE_RANS_BITS) + state % frequency + starts[symbols[i]];
  }
  for (int i = 3; i >= 0; i--) *--next = (uint8_t)(state >> (8 * i));
  return (size_t)(out + room - next);
}

int forge_rans_decode(size_t n, const uint16_t *frequencies, size_t bytes, const uint8_t *in, uint8_t *symbols) {
  uint8_t owners[1 << FORGE_RANS_BITS];
  uint32_t starts[256], sum = 0;
  for (int s = 0; s < 256; s++) {
    starts[s] = sum;
    if (frequencies[s] > sizeof owners - sum) return -1;
    memset(owners + sum, s, frequencies[s]);
    sum += frequencies[s];
  }
  if (sum != sizeof owners || bytes < 4) return -1;
  const uint8_t *end = in + bytes;
  uint32_t state = in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
  in += 4;
  if (state < RANS_LOW || state >= 1u << 31) return -1;
  for (size_t i = 0; i < n; i++) {
    uint32_t slot = state & (sizeof owners - 1);
    uint8_t symbol = symbols[i] = owners[slot];
    state = frequencies[symbol] * (state >> FORGE_RANS_BITS) + slot - starts[symbol];
    while (state < RANS_LOW) {
      if (in == end) return -1;
      state = state << 8 | *in++;
    }
  }
  return state == RANS_LOW && in == end ? 0 : -1;
}
