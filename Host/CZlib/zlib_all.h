// zlib, with deflateInit2 as a function: the macro of that name cannot be imported.
#pragma once
#include <zlib.h>

// Prepares `stream` for gzip output at `level` (1...9). Returns Z_OK or a zlib error.
static inline int zlib_gzip_begin(z_stream *_Nonnull stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}
