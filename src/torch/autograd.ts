/** Gradients beyond `tensor.backward()`, and the thread's grad mode. */
import { asynchronous, translating } from './errors.js';
import { expectFunction, expectList } from './expect.js';
import { readTensors, writeTensors } from './frame.js';
import { native } from './native.js';
import { checkFlag, checkOptions } from './options.js';
import type { Tensor } from './tensor.js';

function withGradMode<T>(enabled: boolean, body: () => T): T {
  expectFunction(enabled ? 'enableGrad' : 'noGrad', body);
  const before = native.gradEnabled();
  native.setGradEnabled(enabled);
  try {
    const result = body();
    if (result instanceof Promise) throw asynchronous('noGrad() and enableGrad() take', result);
    return result;
  } finally {
    native.setGradEnabled(before);
  }
}

/**
 * Runs `body` without recording a graph (`torch.no_grad`).
 * @throws TorchError if `body` is asynchronous: the mode would be back before it ends
 */
export function noGrad<T>(body: () => T): T {
  return withGradMode(false, body);
}

/** Runs `body` with recording on (`torch.enable_grad`). */
export function enableGrad<T>(body: () => T): T {
  return withGradMode(true, body);
}

export function isGradEnabled(): boolean {
  return native.gradEnabled();
}

const GRAPH = ['retainGraph', 'createGraph'] as const;

function graphFlags(
  where: string,
  options: { retainGraph?: boolean; createGraph?: boolean },
): { retainGraph: boolean; createGraph: boolean } {
  for (const name of GRAPH) checkFlag(where, name, options[name]);
  const { createGraph = false, retainGraph = createGraph } = options;
  return { retainGraph, createGraph };
}

/**
 * Gradients of `outputs` with respect to `inputs` (`torch.autograd.grad`); no `grad` field is touched.
 * @param options.gradOutputs - one for each output, of its shape; may be left out for outputs of one element
 * @returns one for each input; null for an unused one, where `allowUnused` is set
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: {
    gradOutputs?: readonly (Tensor | null)[];
    retainGraph?: boolean;
    createGraph?: boolean;
    allowUnused?: boolean;
  } = {},
): (Tensor | null)[] {
  const out = Array.isArray(outputs) ? (outputs as readonly Tensor[]) : [outputs as Tensor];
  const wrt = Array.isArray(inputs) ? (inputs as readonly Tensor[]) : [inputs as Tensor];
  checkOptions('grad', options, ['gradOutputs', 'allowUnused', ...GRAPH]);
  checkFlag('grad', 'allowUnused', options.allowUnused);
  const { retainGraph, createGraph } = graphFlags('grad', options);
  writeTensors(out, wrt, options.gradOutputs ?? out.map(() => null));
  translating(() => native.grad(retainGraph, createGraph, options.allowUnused ?? false));
  return readTensors();
}

/**
 * Backward from several tensors at once (`torch.autograd.backward`).
 * @param gradients - one for each tensor, of its shape; null for one of a single element
 */
export function backward(
  tensors: readonly Tensor[],
  gradients?: readonly (Tensor | null)[],
  options: { retainGraph?: boolean; createGraph?: boolean } = {},
): void {
  checkOptions('backward', options, GRAPH);
  const { retainGraph, createGraph } = graphFlags('backward', options);
  expectList('backward', tensors, 'tensors in a list');
  const given = gradients ?? tensors.map(() => null);
  expectList('backward', given, 'gradients in a list');
  writeTensors(tensors, given);
  translating(() => native.backward(retainGraph, createGraph));
}

/** The gradients of many tensors in one call. */
export function gradsOf(tensors: readonly Tensor[]): (Tensor | null)[] {
  writeTensors(tensors);
  translating(() => native.gradsOf());
  return readTensors();
}

/** Drops the gradients of many tensors in one call (`zero_grad(set_to_none=True)`). */
export function clearGrads(tensors: readonly Tensor[]): void {
  writeTensors(tensors);
  translating(() => native.clearGrads());
}
