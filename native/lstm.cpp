// An LSTM for the CPU whose time steps are one matrix product and one loop each.
//
// libtorch's takes a dozen operators a step, forward, and about twice as many backward, each with tensors and a node of
// the graph of its own: for layers as small as those that read features of speech and faces, this is nearly all of the
// cost. Here a direction of a layer is one node. What need not wait for the step before, the products with the inputs
// and the gradients of the weights, is computed for all steps at once. Whatever this is not made for takes libtorch's.
//
// Sequences come packed, as in PyTorch: the rows of step 0, of step 1, ..., of those sequences that are still going,
// the longest first. A padded batch is one in which all are equally long.
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "compat.h"
#include "gates.h"
#include "registry.h"
#include "threads.h"

namespace headrace {

namespace {

using Tensors = torch::autograd::variable_list;

// Rows of a step on several threads, where there are enough of them.
template <typename Body>
void forEachRows(int64_t rows, int64_t hidden, const Body& body) {
  forEachRange(rows, std::max<int64_t>(1, 8192 / hidden), body);
}

// ---- The steps of one direction. ----

template <typename Real>
Real* rowOf(const at::Tensor& rows, int64_t row) {
  return rows.data_ptr<Real>() + row * rows.size(1);
}

struct Step {
  int64_t first, rows; // of the packed data
};

// In the order in which the direction takes them.
std::vector<Step> stepsOf(const std::vector<int64_t>& sizes, bool reverse) {
  std::vector<Step> steps;
  int64_t first = 0;
  for (const int64_t rows : sizes) {
    steps.push_back({first, rows});
    first += rows;
  }
  if (reverse) std::reverse(steps.begin(), steps.end());
  return steps;
}

struct Direction {
  at::Tensor output, state, cell;                      // what it gives
  at::Tensor gates, cellBefore, cellTanh, stateBefore; // what backward needs, packed
};

// The states of all sequences lie in one tensor, of which each step takes and replaces the first rows: a sequence that
// has ended keeps its final state there, and one that begins later (in reverse) its initial one.
template <typename Real>
Direction forwardOf(const at::Tensor& data, const at::Tensor& h0, const at::Tensor& c0, const at::Tensor& wIh,
                    const at::Tensor& wHh, const Optional<at::Tensor>& bias, const std::vector<Step>& steps) {
  const int64_t hidden = wHh.size(1);
  const auto empty = [&] { return at::empty({data.size(0), hidden}, data.options().requires_grad(false)); };
  Direction made{empty(), h0.clone(), c0.clone(), at::linear(data, wIh, bias), empty(), empty(), empty()};
  const at::Tensor wHhT = wHh.t();
  for (const Step& step : steps) {
    const at::Tensor state = made.state.narrow(0, 0, step.rows);
    std::copy_n(rowOf<Real>(state, 0), step.rows * hidden, rowOf<Real>(made.stateBefore, step.first));
    at::Tensor gates = made.gates.narrow(0, step.first, step.rows);
    at::addmm_out(gates, gates, state, wHhT);
    forEachRows(step.rows, hidden, [&](int64_t row, int64_t end) {
      const int64_t packed = step.first + row;
      forwardRows(ForwardRows<Real>{end - row, hidden, rowOf<Real>(gates, row), rowOf<Real>(made.cell, row),
                                    rowOf<Real>(made.cellBefore, packed), rowOf<Real>(made.cellTanh, packed),
                                    rowOf<Real>(state, row), rowOf<Real>(made.output, packed)});
    });
  }
  return made;
}

struct Gradients {
  at::Tensor gates, h0, c0;
};

// Backward through the steps. The gradients of the states lie as the states do in forward.
template <typename Real>
Gradients backwardOf(const Tensors& given, const at::Tensor& wHh, const Direction& made, std::vector<Step> steps) {
  const int64_t hidden = wHh.size(1);
  const at::Tensor dOutput = given[0].contiguous();
  Gradients found{at::empty_like(made.gates), given[1].clone(at::MemoryFormat::Contiguous),
                  given[2].clone(at::MemoryFormat::Contiguous)};
  std::reverse(steps.begin(), steps.end());
  for (const Step& step : steps) {
    at::Tensor dState = found.h0.narrow(0, 0, step.rows);
    const at::Tensor dGates = found.gates.narrow(0, step.first, step.rows);
    forEachRows(step.rows, hidden, [&](int64_t row, int64_t end) {
      const int64_t packed = step.first + row;
      backwardRows(BackwardRows<Real>{end - row, hidden, rowOf<Real>(made.gates, packed),
                                      rowOf<Real>(made.cellBefore, packed), rowOf<Real>(made.cellTanh, packed),
                                      rowOf<Real>(dOutput, packed), rowOf<Real>(dState, row),
                                      rowOf<Real>(found.c0, row), rowOf<Real>(dGates, row)});
    });
    at::mm_out(dState, dGates, wHh);
  }
  return found;
}

// The same from operators that have gradients themselves, for a gradient of gradients.
Tensors differentiableOf(const at::Tensor& data, at::Tensor state, at::Tensor cell, const at::Tensor& wIh,
                         const at::Tensor& wHh, const at::Tensor& bias, const std::vector<Step>& steps, bool reverse) {
  const at::Tensor fromInput = bias.defined() ? at::linear(data, wIh, bias) : at::linear(data, wIh);
  const auto replaced = [](const at::Tensor& all, const at::Tensor& rows) {
    const int64_t rest = all.size(0) - rows.size(0);
    return rest == 0 ? rows : at::cat({rows, all.narrow(0, rows.size(0), rest)});
  };
  Tensors outputs;
  for (const auto& [first, rows] : steps) {
    const auto gates = (fromInput.narrow(0, first, rows) + at::linear(state.narrow(0, 0, rows), wHh)).chunk(4, 1);
    const at::Tensor next = gates[1].sigmoid() * cell.narrow(0, 0, rows) + gates[0].sigmoid() * gates[2].tanh();
    outputs.push_back(gates[3].sigmoid() * next.tanh());
    state = replaced(state, outputs.back());
    cell = replaced(cell, next);
  }
  if (reverse) std::reverse(outputs.begin(), outputs.end());
  return {at::cat(outputs), state, cell};
}

// ---- The operator. ----

struct LstmDirection : torch::autograd::Function<LstmDirection> {
  using Context = torch::autograd::AutogradContext;

  static Tensors forward(Context* context, const at::Tensor& data, const at::Tensor& h0, const at::Tensor& c0,
                         const at::Tensor& wIh, const at::Tensor& wHh, const Optional<at::Tensor>& bias,
                         const std::vector<int64_t>& sizes, bool reverse) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    const auto run = data.scalar_type() == at::kFloat ? forwardOf<float> : forwardOf<double>;
    const Direction made = run(data, h0, c0, wIh, wHh, bias, stepsOf(sizes, reverse));
    context->save_for_backward({data, h0, c0, wIh, wHh, bias.value_or(at::Tensor()), made.gates, made.cellBefore,
                                made.cellTanh, made.stateBefore});
    context->saved_data["sizes"] = sizes;
    context->saved_data["reverse"] = reverse;
    return {made.output, made.state, made.cell};
  }

  static Tensors backward(Context* context, Tensors given) {
    const Tensors saved = context->get_saved_variables();
    const bool reverse = context->saved_data["reverse"].toBool();
    const auto steps = stepsOf(context->saved_data["sizes"].toIntVector(), reverse);
    Tensors found = at::GradMode::is_enabled() ? differentiableGradients(saved, given, steps, reverse)
                                               : gradients(saved, given, steps);
    found.resize(8); // neither sizes nor direction have a gradient
    return found;
  }

 private:
  static Tensors gradients(const Tensors& saved, const Tensors& given, const std::vector<Step>& steps) {
    const at::AutoDispatchBelowADInplaceOrView guard;
    const at::Tensor &data = saved[0], &wIh = saved[3], &wHh = saved[4], &bias = saved[5];
    Direction made;
    made.gates = saved[6], made.cellBefore = saved[7], made.cellTanh = saved[8], made.stateBefore = saved[9];
    const auto run = data.scalar_type() == at::kFloat ? backwardOf<float> : backwardOf<double>;
    const Gradients found = run(given, wHh, made, steps);
    const at::Tensor dGatesT = found.gates.t();
    return {data.requires_grad() ? at::mm(found.gates, wIh) : at::Tensor(),
            found.h0,
            found.c0,
            at::mm(dGatesT, data),
            at::mm(dGatesT, made.stateBefore),
            bias.defined() ? found.gates.sum(0) : at::Tensor()};
  }

  static Tensors differentiableGradients(const Tensors& saved, const Tensors& given, const std::vector<Step>& steps,
                                         bool reverse) {
    const Tensors outputs =
        differentiableOf(saved[0], saved[1], saved[2], saved[3], saved[4], saved[5], steps, reverse);
    const Tensors inputs(saved.begin(), saved.begin() + 6);
    Tensors wanted;
    for (const at::Tensor& input : inputs) {
      if (input.defined() && input.requires_grad()) wanted.push_back(input);
    }
    const Tensors gradients = torch::autograd::grad(outputs, wanted, given, true, true, true);
    Tensors found(inputs.size());
    for (size_t i = 0, next = 0; i < inputs.size(); ++i) {
      if (inputs[i].defined() && inputs[i].requires_grad()) found[i] = gradients[next++];
    }
    return found;
  }
};

using MaybeTensor = const Optional<at::Tensor>&;

// The sequences that each step has; empty where they are not such as packing makes.
std::vector<int64_t> sizesOf(const at::Tensor& input, MaybeTensor batchSizes, bool batchFirst) {
  if (!batchSizes) {
    if (input.dim() != 3) return {};
    return std::vector<int64_t>(input.size(batchFirst ? 1 : 0), input.size(batchFirst ? 0 : 1));
  }
  if (input.dim() != 2 || batchSizes->dim() != 1 || batchSizes->scalar_type() != at::kLong) return {};
  const at::Tensor list = batchSizes->cpu().contiguous();
  std::vector<int64_t> sizes(list.data_ptr<int64_t>(), list.data_ptr<int64_t>() + list.numel());
  const bool falling = std::is_sorted(sizes.rbegin(), sizes.rend());
  const int64_t rows = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  return falling && rows == input.size(0) ? sizes : std::vector<int64_t>();
}

// Where memory is read and written without libtorch's checks, so that each of them is made here.
bool fits(const at::Tensor& input, const std::vector<int64_t>& sizes, at::TensorList state, at::TensorList weights,
          int64_t each, int64_t layers, int64_t directions) {
  const auto type = input.scalar_type();
  const auto plain = [&](const at::Tensor& tensor, at::IntArrayRef shape) {
    return tensor.device().is_cpu() && tensor.scalar_type() == type && tensor.layout() == at::kStrided &&
           tensor.sizes() == shape;
  };
  const bool made = (type == at::kFloat || type == at::kDouble) && !sizes.empty() && sizes.back() > 0 &&
                    plain(input, input.sizes()) && state.size() == 2 && state[0].dim() == 3 && layers > 0 &&
                    static_cast<int64_t>(weights.size()) == each * layers * directions;
  if (!made) return false;
  const int64_t hidden = state[0].size(2);
  for (const at::Tensor& tensor : state) {
    if (!plain(tensor, {layers * directions, sizes[0], hidden})) return false;
  }
  for (size_t i = 0; i < weights.size(); i += each) {
    const bool first = static_cast<int64_t>(i) < each * directions;
    const int64_t width = first ? input.size(-1) : directions * hidden;
    if (!plain(weights[i], {4 * hidden, width}) || !plain(weights[i + 1], {4 * hidden, hidden})) return false;
    if (each == 4 && !(plain(weights[i + 2], {4 * hidden}) && plain(weights[i + 3], {4 * hidden}))) return false;
  }
  return hidden > 0 && input.size(-1) > 0;
}

using Result = std::tuple<at::Tensor, at::Tensor, at::Tensor>;

Result layersOf(at::Tensor data, const std::vector<int64_t>& sizes, at::TensorList state, at::TensorList weights,
                int64_t each, int64_t layers, int64_t directions, double dropout, bool train) {
  Tensors states, cells;
  for (int64_t layer = 0; layer < layers; ++layer) {
    Tensors outputs;
    for (int64_t direction = 0; direction < directions; ++direction) {
      const int64_t i = layer * directions + direction;
      const at::Tensor* weight = &weights[i * each];
      const Optional<at::Tensor> bias = each == 4 ? Optional<at::Tensor>(weight[2] + weight[3]) : nullOpt;
      const auto initial = [&](int which) { return state[which].select(0, i).contiguous(); };
      const Tensors found = LstmDirection::apply(data.contiguous(), initial(0), initial(1), weight[0], weight[1], bias,
                                                 sizes, direction == 1);
      outputs.push_back(found[0]);
      states.push_back(found[1]);
      cells.push_back(found[2]);
    }
    data = directions == 1 ? outputs[0] : at::cat(outputs, 1);
    if (train && dropout > 0 && layer + 1 < layers) data = at::dropout(data, dropout, true);
  }
  return {data, at::stack(states), at::stack(cells)};
}

// at::lstm, of packed sequences where batch_sizes is given.
Result lstm(const at::Tensor& input, MaybeTensor batchSizes, at::TensorList state, at::TensorList weights,
            bool hasBiases, int64_t layers, double dropout, bool train, bool bidirectional, bool batchFirst) {
  const std::vector<int64_t> sizes = sizesOf(input, batchSizes, batchFirst);
  const int64_t each = hasBiases ? 4 : 2, directions = bidirectional ? 2 : 1;
  if (!fits(input, sizes, state, weights, each, layers, directions)) {
    return batchSizes
               ? at::lstm(input, *batchSizes, state, weights, hasBiases, layers, dropout, train, bidirectional)
               : at::lstm(input, state, weights, hasBiases, layers, dropout, train, bidirectional, batchFirst);
  }
  if (batchSizes) return layersOf(input, sizes, state, weights, each, layers, directions, dropout, train);
  const at::Tensor steps = batchFirst ? input.transpose(0, 1) : input;
  auto [output, h, c] = layersOf(steps.reshape({-1, input.size(2)}), sizes, state, weights, each, layers, directions,
                                 dropout, train);
  output = output.view({steps.size(0), steps.size(1), -1});
  return {batchFirst ? output.transpose(0, 1) : output, h, c};
}

} // namespace

TORCH_LIBRARY_FRAGMENT(headrace, library) {
  if (isRegistered("lstm")) return;
  library.def(
      "lstm(Tensor input, Tensor? batch_sizes, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, "
      "float dropout, bool train, bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)",
      lstm);
}

} // namespace headrace
