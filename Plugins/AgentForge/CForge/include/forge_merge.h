// Loops of merging models, over float32 values that stand one after another.
//
// Every function may be called from any thread, keeps nothing, allocates nothing, and is deterministic: the same
// arguments give the same bits. Pointers need no alignment. Arguments overlap only where it is said.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// The sum of a[i] * b[i], summed in double precision. `a` may be `b`.
double forge_merge_dot(size_t n, const float *a, const float *b);

// delta = x - base.
void forge_merge_delta(size_t n, const float *x, const float *base, float *delta);

// Trims (TIES, Yadav et al. 2023): sets to 0 all of x but the `keep` values of the largest magnitude; of values of equal
// magnitude at the edge the first ones stay. `scratch` has room for n floats. With keep >= n nothing changes. A value
// that is no number counts as 0.
void forge_merge_trim(size_t n, size_t keep, float *x, float *scratch);

// Elects signs and adds the disjoint mean (TIES): of each element, `count` vectors (vector k's at deltas[k * n + i])
// vote with weights[k] * delta for a sign; out[i] += scale * the mean, by the same weights, of the deltas that have the
// elected sign. Weights are 0 or more; where nobody votes, out stays.
void forge_merge_elect(size_t n, size_t count, const float *deltas, const float *weights, float scale, float *out);

// Drops (DARE, Yu et al. 2024): each of x becomes 0 with `probability`, below 1, and is else divided by 1 - probability.
// Which ones depends on `seed` and the element's number `first + i` alone.
void forge_merge_drop(size_t n, uint64_t seed, uint64_t first, double probability, float *x);

#pragma clang assume_nonnull end
