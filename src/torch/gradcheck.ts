/** Checks gradients against finite differences (`torch.autograd.gradcheck`). */

import { grad } from './autograd.js';
import { TorchError } from './errors.js';
import { expectFunction, expectList, expectTensors } from './expect.js';
import { ops } from './ops.js';
import { checkOptions } from './options.js';
import { scope } from './scope.js';
import type { Tensor } from './tensor.js';

export interface GradcheckOptions {
  /** Step of the central differences. */
  eps?: number;
  atol?: number;
  rtol?: number;
}

/**
 * Compares the gradients of `fn` with central differences, for a random-looking but fixed projection of its output.
 * @param inputs - float64 leaves that require grad
 * @returns true
 * @throws TorchError at the first element that differs, naming the input, the element and both values
 */
export function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): true {
  expectFunction('gradcheck', fn);
  expectList('gradcheck', inputs, 'inputs in a list');
  expectTensors('gradcheck', ...inputs);
  checkOptions('gradcheck', options, ['eps', 'atol', 'rtol']);
  const { eps = 1e-6, atol = 1e-5, rtol = 1e-3 } = options;
  for (const [i, input] of inputs.entries()) {
    if (input.dtype !== 'float64' || !input.requiresGrad) {
      throw new TorchError(`gradcheck expects float64 inputs that require grad; input ${i} is ${input.dtype}`);
    }
  }
  const project = () => {
    const out = fn(...inputs);
    const weights = ops.linspace(0.5, 1.5, out.numel, { dtype: 'float64' }).reshape(out.shape);
    return out.mul(weights).sum();
  };
  scope(() => {
    const analytic = grad(project(), inputs, { allowUnused: true }).map((g) => g?.data() as Float64Array | undefined);
    for (const [i, input] of inputs.entries()) {
      compare(i, input, analytic[i], () => scope(() => project().item()), { eps, atol, rtol });
    }
  });
  return true;
}

function compare(
  index: number,
  input: Tensor,
  analytic: Float64Array | undefined,
  evaluate: () => number,
  { eps, atol, rtol }: Required<GradcheckOptions>,
): void {
  const flat = input.detach().view([-1]);
  for (let j = 0; j < input.numel; j++) {
    const element = flat.select(0, j);
    const shifted = (by: number) => {
      element.add_(by);
      const value = evaluate();
      element.sub_(by);
      return value;
    };
    const numeric = (shifted(eps) - shifted(-eps)) / (2 * eps);
    const got = analytic?.[j] ?? 0;
    if (!(Math.abs(got - numeric) <= atol + rtol * Math.abs(numeric))) {
      throw new TorchError(
        `gradient of input ${index}, element ${j}: backward gives ${got}, finite differences ${numeric}`,
      );
    }
  }
}
