// What every processor has: SSE2 on x86-64, NEON on aarch64 (which has twice the registers).
#include <math.h>
#include <string.h>

#include "include/kernels.h"

#define WIDTH 4
#ifdef __aarch64__
#define ROWS 12
#else
#define ROWS 6
#endif
#define TABLE forge_baseline_kernels
#include "template.h"
