// Numbers of other widths, as files hold them, to float32. Every function may be called from any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// y[i] = the IEEE 754 binary16 whose two bytes, the lower first, stand at half + 2 * i. Exact; NaN stays NaN.
void forge_from_half(size_t n, const uint8_t *half, float *y);

// y[i] = the bfloat16 (the upper half of a float32) whose two bytes, the lower first, stand at half + 2 * i. Exact.
void forge_from_bfloat(size_t n, const uint8_t *half, float *y);

#pragma clang assume_nonnull end
