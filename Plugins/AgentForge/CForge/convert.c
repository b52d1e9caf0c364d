#include "forge_convert.h"

#include <string.h>

static uint32_t two_bytes(const uint8_t *bytes) { return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8; }

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

void forge_from_half(size_t n, const uint8_t *half, float *y) {
  for (size_t i = 0; i < n; i++) {
    uint32_t h = two_bytes(half + 2 * i);
    uint32_t magnitude = (h & 0x7FFF) << 13;
    // The exponents' biases differ by 112; the product also brings subnormal numbers to their place, exactly.
    float value = magnitude >= 0x0F800000 ? from_bits(magnitude | 0x7F800000) : from_bits(magnitude) * 0x1p112f;
    y[i] = h & 0x8000 ? -value : value;
  }
}

void forge_from_bfloat(size_t n, const uint8_t *half, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = from_bits(two_bytes(half + 2 * i) << 16);
}
