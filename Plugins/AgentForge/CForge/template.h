// All kernels for one instruction set, and their table; lanes.h says what must be defined before.
#include "lanes.h"
#include "vectors.h"
#include "layers.h"
#include "softmax.h"
#include "gemm.h"

const forge_kernels TABLE = {
    .gemm_scratch = GEMM_SCRATCH,
    .gemm = gemm,
    .gemv = gemv,
    .dot = dot,
    .axpy = axpy,
    .scale = scale,
    .sum_squares = sum_squares,
    .all_finite = all_finite,
    .ema = ema,
    .rms_norm = rms_norm,
    .rms_norm_back = rms_norm_back,
    .swiglu = swiglu,
    .swiglu_back = swiglu_back,
    .rope = rope,
    .causal_softmax = causal_softmax,
    .causal_softmax_again = causal_softmax_again,
    .softmax_back = softmax_back,
    .softmax = softmax,
    .cross_entropy = cross_entropy,
    .cross_entropy_only = cross_entropy_only,
    .adamw_step = adamw_step,
    .quantize_rows = quantize_rows,
};
