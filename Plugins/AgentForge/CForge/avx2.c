// AVX2 and FMA: 16 registers of 8 floats, of which the tile of 6 x 16 fills 12 with its sums.
#ifdef __x86_64__
#include <math.h>
#include <string.h>

#include "include/kernels.h"

#define WIDTH 8
#define ROWS 6
#define TABLE forge_avx2_kernels
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "template.h"
#pragma clang attribute pop
#endif
