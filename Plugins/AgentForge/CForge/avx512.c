// AVX-512: 32 registers of 16 floats, of which the tile of 12 x 32 fills 24 with its sums.
#ifdef __x86_64__
#include <math.h>
#include <string.h>

#include "include/kernels.h"

#define WIDTH 16
#define ROWS 12
#define TABLE forge_avx512_kernels
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), apply_to = function)
#include "template.h"
#pragma clang attribute pop
#endif
