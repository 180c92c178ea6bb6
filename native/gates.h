// The arithmetic of a time step of an LSTM, forward and backward, row by row: a row is what belongs to one sequence. Gates
// lie in a row of 4 · width, in PyTorch's order: input, forget, cell, output.
#pragma once

#include <cstdint>

namespace headrace {

template <typename Real>
struct ForwardRows {
  int64_t rows, width;
  Real* gates;      // in: before their functions; out: after
  Real* cell;       // in: before the step; out: after
  Real* cellBefore; // out, for backward, as is the next
  Real* cellTanh;
  Real* state;  // out: the hidden state
  Real* output; // out: the same, where the sequence of outputs has it
};

void forwardRows(const ForwardRows<float>& all);
void forwardRows(const ForwardRows<double>& all);

template <typename Real>
struct BackwardRows {
  int64_t rows, width;
  const Real* gates;
  const Real* cellBefore;
  const Real* cellTanh;
  const Real* dOutput;
  const Real* dState; // what comes from the step after, or from the final state; as in the next
  Real* dCell;        // out: what goes to the step before
  Real* dGates;       // out: before their functions
};

void backwardRows(const BackwardRows<float>& all);
void backwardRows(const BackwardRows<double>& all);

} // namespace headrace
