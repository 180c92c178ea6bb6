#include "gates.h"

#include "exponential.h"

namespace headrace {

namespace {

template <typename Real>
HEADRACE_INLINE Real sigmoidOf(Real x) {
  return 1 / (2 + expm1Of(-x));
}
template <typename Real>
HEADRACE_INLINE Real tanhOf(Real x) {
  // Beyond 20 it is 1 in any of the types, and eˣ might not be a number.
  const Real e = expm1Of(2 * (x > 20 ? 20 : x));
  return e / (e + 2);
}

// A row of a step, all of `width` numbers but the gates. The pointers are parameters, as compilers forget of others that
// they do not overlap.
template <typename Real>
HEADRACE_INLINE void forwardRow(int64_t width, Real* __restrict gates, Real* __restrict cell, Real* __restrict cellBefore,
                                Real* __restrict cellTanh, Real* __restrict state, Real* __restrict output) {
  for (int64_t j = 0; j < 2 * width; ++j) gates[j] = sigmoidOf(gates[j]);
  for (int64_t j = 2 * width; j < 3 * width; ++j) gates[j] = tanhOf(gates[j]);
  for (int64_t j = 3 * width; j < 4 * width; ++j) gates[j] = sigmoidOf(gates[j]);
  const Real* in = gates;
  const Real* forget = gates + width;
  const Real* candidate = gates + 2 * width;
  const Real* out = gates + 3 * width;
  for (int64_t j = 0; j < width; ++j) {
    const Real before = cell[j];
    const Real after = forget[j] * before + in[j] * candidate[j];
    const Real squashed = tanhOf(after);
    const Real hidden = out[j] * squashed;
    cellBefore[j] = before;
    cell[j] = after;
    cellTanh[j] = squashed;
    state[j] = hidden;
    output[j] = hidden;
  }
}

template <typename Real>
HEADRACE_INLINE void backwardRow(int64_t width, const Real* __restrict gates, const Real* __restrict cellBefore,
                                 const Real* __restrict cellTanh, const Real* __restrict dOutput,
                                 const Real* __restrict dState, Real* __restrict dCell, Real* __restrict dGates) {
  for (int64_t j = 0; j < width; ++j) {
    const Real in = gates[j], forget = gates[width + j], candidate = gates[2 * width + j], out = gates[3 * width + j];
    const Real dHidden = dOutput[j] + dState[j];
    const Real d = dCell[j] + dHidden * out * (1 - cellTanh[j] * cellTanh[j]);
    dGates[j] = d * candidate * in * (1 - in);
    dGates[width + j] = d * cellBefore[j] * forget * (1 - forget);
    dGates[2 * width + j] = d * in * (1 - candidate * candidate);
    dGates[3 * width + j] = dHidden * cellTanh[j] * out * (1 - out);
    dCell[j] = d * forget;
  }
}

template <typename Real>
HEADRACE_INLINE void forwardEach(const ForwardRows<Real>& all) {
  for (int64_t i = 0; i < all.rows * all.width; i += all.width) {
    forwardRow(all.width, all.gates + 4 * i, all.cell + i, all.cellBefore + i, all.cellTanh + i, all.state + i,
               all.output + i);
  }
}

template <typename Real>
HEADRACE_INLINE void backwardEach(const BackwardRows<Real>& all) {
  for (int64_t i = 0; i < all.rows * all.width; i += all.width) {
    backwardRow(all.width, all.gates + 4 * i, all.cellBefore + i, all.cellTanh + i, all.dOutput + i, all.dState + i,
                all.dCell + i, all.dGates + 4 * i);
  }
}

} // namespace

HEADRACE_VECTORS void forwardRows(const ForwardRows<float>& all) { forwardEach(all); }
void forwardRows(const ForwardRows<double>& all) { forwardEach(all); }

HEADRACE_VECTORS void backwardRows(const BackwardRows<float>& all) { backwardEach(all); }
void backwardRows(const BackwardRows<double>& all) { backwardEach(all); }

} // namespace headrace
