// Measures what each layer and each local head of a model costs on a batch: the numbers that the planner cuts by.
//
// A sweep is a training step with a clock at every border: forward through all layers, then backward through all of them,
// each on what its neighbour has just made, as in a real step. Sweeps repeat, so that a disturbance falls on all layers
// alike, and the lower quartile of each clock counts: other work on the machine only ever adds time, and half of all
// sweeps may well be disturbed. Identical layers (the same module on the same shapes) share the mean of theirs.

import { SGD } from '../optim/index.js';
import { lowerQuartile, median } from '../report/statistics.js';
import {
  checkOptions,
  deriveSeed,
  elementSize,
  Generator,
  getNumThreads,
  noGrad,
  ops,
  scope,
  type Tensor,
} from '../torch/index.js';
import { type ComputeType, computing, inFull } from './compute.js';
import {
  backwardThrough,
  buildHead,
  buildLayer,
  exampleOf,
  type HeadKind,
  type LayerModule,
  type ModelSpec,
  tensorsOf,
} from './model.js';
import type { Cost, LayerCost, Profile } from './plan.js';
import { taskOf } from './task.js';

export interface ProfileOptions {
  readonly batchSize: number;
  /** Null measures no heads, nor what local learning saves (`LayerCost.inputGradient`). */
  readonly head: { readonly kind: HeadKind; readonly depth?: number | undefined } | null;
  readonly seed?: number;
  /** Default `cpu`. */
  readonly device?: string;
  /** Default `contiguous`. */
  readonly memoryFormat?: 'contiguous' | 'channelsLast';
  /** What layers compute in, as in a run. Default `float32`. */
  readonly compute?: ComputeType | undefined;
  /** How long to measure: sweeps go on until then, but 3 at least and 50 at most. Default 5. */
  readonly seconds?: number;
  /** Makes a batch as the first stage will (loads and augments); its time counts there. */
  readonly input?: () => unknown;
  /** Told before the first sweep (with null: nobody knows yet how long one takes) and after each. */
  readonly onProgress?: (progress: ProfileProgress) => void;
}

/** How far a measurement is. */
export interface ProfileProgress {
  /** Sweeps done, the one that warms up among them. */
  readonly sweeps: number;
  readonly secondsLeft: number | null;
}

const leastSweeps = 3;
const mostSweeps = 50;

/** Seconds of every repeat, by what was measured; `closed` is a backward that makes no gradient of the input. */
type Clocks = Record<'forward' | 'backward' | 'closed', number[]>;

interface Part {
  readonly module: LayerModule;
  /** The module's, in what the run computes in. */
  readonly forward: (inputs: readonly Tensor[]) => Tensor[];
  readonly clocks: Clocks;
  /** What makes it identical to another. */
  kind: string;
  activationBytes: number;
  outputBytes: number;
}

/**
 * Profiles a model, layer by layer, with the threads that are set in the calling thread.
 *
 * @returns costs of one batch; `activationBytes` is estimated by the outputs of all modules inside
 */
export function profile(spec: ModelSpec, options: ProfileOptions): Profile {
  checkOptions('profile', options, [
    'batchSize',
    'head',
    'seed',
    'device',
    'memoryFormat',
    'compute',
    'seconds',
    'input',
    'onProgress',
  ]);
  const { seed = 0, device = 'cpu', memoryFormat = 'contiguous', compute, head } = options;
  const generator = new Generator(deriveSeed(seed, 'profile'), device);
  const prepare = (module: LayerModule): Part => {
    module.to({ device, memoryFormat });
    module.setGenerator(generator);
    const forward = (inputs: readonly Tensor[]): Tensor[] =>
      computing(compute, device, () => tensorsOf(module.forward(...inputs)));
    const clocks = { forward: [], backward: [], closed: [] };
    return { module, forward, clocks, kind: '', activationBytes: 0, outputBytes: 0 };
  };
  const layers = spec.layers.map((layer) => prepare(buildLayer(layer, seed)));
  const borders = head ? layers.slice(0, -1) : [];
  const heads = borders.map((_, border) => prepare(buildHead(spec, head!.kind, border, { depth: head!.depth }, seed)));
  const task = taskOf(spec);
  const objective = (output: Tensor, targets: readonly Tensor[]): Tensor =>
    task.loss(inFull(compute, output), ...targets);
  const sweep = new Sweep(objective, layers, heads, device);
  scope(() => {
    const example = exampleOf(spec, options.batchSize, generator);
    const inputs = example.inputs.map((x) => (x.ndim === 4 ? x.contiguous({ memoryFormat }) : x));
    const { targets } = example;
    options.onProgress?.({ sweeps: 0, secondsLeft: null });
    sweep.inspect(inputs, targets);
    const begun = performance.now();
    sweep.run(inputs, targets);
    sweep.reset();
    const end = performance.now() + (options.seconds ?? 5) * 1000;
    for (let i = 0; i < leastSweeps || (i < mostSweeps && performance.now() < end); i++) {
      const each = (performance.now() - begun) / (i + 1);
      const left = Math.max((leastSweeps - i) * each, Math.min(end - performance.now(), (mostSweeps - i) * each));
      options.onProgress?.({ sweeps: i + 1, secondsLeft: left / 1000 });
      sweep.run(inputs, targets);
    }
  });
  const update = secondsPerParameter([...layers, ...heads], device);
  const layerCosts = average(layers);
  const headCosts = average(heads);
  return {
    model: spec.name,
    batchSize: options.batchSize,
    device,
    threads: getNumThreads(),
    headKind: head?.kind ?? 'no',
    layers: layers.map((part, i): LayerCost => {
      const { forward, backward, closed } = layerCosts[i]!;
      // At most half: each weight's own gradient is as much work as its part in the input's.
      const inputGradient = i > 0 && head ? Math.min(Math.max(0, backward - closed), backward / 2) : 0;
      const { name } = spec.layers[i]!;
      return { name, ...sizes(part, update), forward, backward, inputGradient, outputBytes: part.outputBytes };
    }),
    heads: heads.map((part, i): Cost => {
      const { forward, backward } = headCosts[i]!;
      return { ...sizes(part, update), forward, backward };
    }),
    input: options.input ? median(measure(options.input, device)) : 0,
    loss: lowerQuartile(sweep.loss),
  };
}

/** The measured steps over a chain of layers with a head at each border. */
class Sweep {
  loss: number[] = [];

  constructor(
    private readonly objective: (output: Tensor, targets: readonly Tensor[]) => Tensor,
    private readonly layers: readonly Part[],
    private readonly heads: readonly Part[],
    private readonly device: string,
  ) {}

  reset(): void {
    this.loss = [];
    for (const part of [...this.layers, ...this.heads])
      for (const clock of Object.values(part.clocks)) clock.length = 0;
  }

  /** Notes the shapes and bytes of every part. */
  inspect(inputs: readonly Tensor[], targets: readonly Tensor[]): void {
    scope(() => {
      let x: readonly Tensor[] = inputs;
      this.layers.forEach((part, i) => {
        x = inspectPart(part, x).map((y) => y.detach());
        const head = this.heads[i];
        if (head) this.objective(inspectPart(head, x)[0]!, targets);
      });
    });
  }

  run(batch: readonly Tensor[], targets: readonly Tensor[]): void {
    const inputs = scope(() => this.chain(batch, targets));
    // The rest needs only the inputs. One scope for each part keeps the memory of a step.
    this.heads.forEach((head, border) => {
      scope(() => this.head(head, inputs[border + 1]!, targets));
    });
    // What local learning saves matters where there are heads.
    this.layers.forEach((layer, i) => {
      if (i > 0 && this.heads.length > 0) scope(() => this.closedBackward(layer, inputs[i]!));
    });
    for (const tensors of inputs.slice(1)) for (const input of tensors) input.dispose();
  }

  /** A training step of the whole chain; returns the inputs of each layer. */
  private chain(batch: readonly Tensor[], targets: readonly Tensor[]): Tensor[][] {
    const inputs = [[...batch]];
    const outputs = this.layers.map(({ forward, clocks }, i) => {
      const output = this.time(clocks.forward, () => forward(inputs[i]!));
      inputs.push(leavesOf(output));
      return output;
    });
    const [logits] = inputs.pop() as [Tensor];
    const losses: number[] = [];
    this.time(losses, () => this.objective(logits, targets).backward());
    this.loss.push(losses[0]!);
    let gradients = [logits.grad];
    for (let i = this.layers.length - 1; i >= 0; i--) {
      const { module, clocks } = this.layers[i]!;
      this.time(clocks.backward, () => backwardThrough(outputs[i]!, gradients));
      gradients = inputs[i]!.map((input) => input.grad);
      module.zeroGrad();
    }
    return inputs.map((tensors, i) => (i === 0 ? tensors : tensors.map((input) => input.detach())));
  }

  private head({ module, forward, clocks }: Part, features: readonly Tensor[], targets: readonly Tensor[]): void {
    const inputs = leavesOf(features);
    for (const input of inputs) input.sum(); // in the cache, as after the layer that made it
    const loss = this.time(clocks.forward, () => this.objective(forward(inputs)[0]!, targets));
    this.time(clocks.backward, () => loss.backward());
    module.zeroGrad();
  }

  private closedBackward({ module, forward, clocks }: Part, features: readonly Tensor[]): void {
    const outputs = forward(features);
    if (!outputs.some((output) => output.requiresGrad)) return; // nothing to train
    const gradients = outputs.map((output) => ops.onesLike(output));
    this.time(clocks.closed, () => backwardThrough(outputs, gradients));
    module.zeroGrad();
  }

  private time<T>(clock: number[], work: () => T): T {
    const start = performance.now();
    const result = work();
    synchronise(this.device);
    clock.push((performance.now() - start) / 1000);
    return result;
  }
}

/** The same values as leaves of a graph of their own. */
function leavesOf(tensors: readonly Tensor[]): Tensor[] {
  return tensors.map((x) => {
    const leaf = x.detach();
    leaf.requiresGrad = true;
    return leaf;
  });
}

/** Runs a part once with every module inside watched. */
function inspectPart(part: Part, inputs: readonly Tensor[]): Tensor[] {
  const watched = [...part.module.modules()].filter((module) => [...module.children()].length === 0);
  for (const module of watched) {
    const forward = module.forward.bind(module) as (...inputs: unknown[]) => unknown;
    const watch = (...inputs: unknown[]): unknown => {
      const output = forward(...inputs);
      part.activationBytes += bytesOf(output as Tensor);
      return output;
    };
    Object.defineProperty(module, 'forward', { value: watch, configurable: true, enumerable: false });
  }
  try {
    const outputs = part.forward(inputs);
    part.outputBytes = outputs.reduce((sum, output) => sum + bytesOf(output), 0);
    part.kind = [part.module, ...[...inputs, ...outputs].map(({ shape }) => shape.join('x'))].join(' ');
    return outputs;
  } finally {
    for (const module of watched) delete (module as { forward?: unknown }).forward;
  }
}

function bytesOf(tensor: Tensor): number {
  return tensor.numel * elementSize(tensor.dtype);
}

/** The lower quartiles of each part's clocks (0 where a clock never ran), identical parts sharing their mean. */
function average(parts: readonly Part[]): Record<keyof Clocks, number>[] {
  return parts.map(({ kind }, i) => {
    // The model's first layer makes no gradient of its input, so its clocks are like no other's.
    const alike = parts.filter((other, j) => other.kind === kind && (i === 0) === (j === 0));
    const mean = (key: keyof Clocks): number =>
      alike.reduce((sum, { clocks }) => sum + (clocks[key].length > 0 ? lowerQuartile(clocks[key]) : 0), 0) /
      alike.length;
    return { forward: mean('forward'), backward: mean('backward'), closed: mean('closed') };
  });
}

function sizes(part: Part, secondsPerParameter: number): Pick<Cost, 'update' | 'parameters' | 'activationBytes'> {
  const parameters = [...part.module.parameters()].reduce((sum, parameter) => sum + parameter.numel, 0);
  return { parameters, update: parameters * secondsPerParameter, activationBytes: part.activationBytes };
}

/** The cost of an optimizer step of everything, shared out by parameter count. */
function secondsPerParameter(parts: readonly Part[], device: string): number {
  const parameters = parts.flatMap(({ module }) => [...module.parameters()]);
  const count = parameters.reduce((sum, parameter) => sum + parameter.numel, 0);
  if (count === 0) return 0;
  const optimizer = new SGD(parameters, { lr: 0, momentum: 0.9, weightDecay: 1e-4 });
  return scope(() => {
    noGrad(() => {
      for (const parameter of parameters) parameter.grad = ops.zerosLike(parameter);
    });
    const seconds = median(measure(() => optimizer.step(), device));
    optimizer.zeroGrad();
    return seconds / count;
  });
}

/** Seconds of each of some runs, after one that does not count. */
function measure(work: () => unknown, device: string): number[] {
  return Array.from({ length: 8 }, () => {
    const start = performance.now();
    scope(() => {
      work();
    });
    synchronise(device);
    return (performance.now() - start) / 1000;
  }).slice(1);
}

/** Waits for a device that works behind our back: reading a value from it does. */
function synchronise(device: string): void {
  if (device !== 'cpu') scope(() => ops.zeros([1], { device }).item());
}

/** Profiles of the same thing, averaged. */
export function meanProfile(profiles: readonly Profile[]): Profile {
  const [first] = profiles as readonly [Profile, ...Profile[]];
  const mean = (pick: (profile: Profile) => number): number =>
    profiles.reduce((sum, each) => sum + pick(each), 0) / profiles.length;
  const times = (pick: (profile: Profile) => Cost): Pick<Cost, 'forward' | 'backward' | 'update'> => ({
    forward: mean((each) => pick(each).forward),
    backward: mean((each) => pick(each).backward),
    update: mean((each) => pick(each).update),
  });
  return {
    ...first,
    layers: first.layers.map((layer, i) => ({
      ...layer,
      ...times((each) => each.layers[i]!),
      inputGradient: mean((each) => each.layers[i]!.inputGradient),
    })),
    heads: first.heads.map((head, i) => ({ ...head, ...times((each) => each.heads[i]!) })),
    input: mean((each) => each.input),
    loss: mean((each) => each.loss),
  };
}

/** The profile of a microbatch, made one of the `parts` microbatches of a batch; the update is once a batch. */
export function profileOfBatch(profile: Profile, parts: number, batchSize: number): Profile {
  if (parts === 1) return profile;
  const more = <T extends Cost>(cost: T): T => ({
    ...cost,
    forward: cost.forward * parts,
    backward: cost.backward * parts,
    activationBytes: cost.activationBytes * parts,
  });
  return {
    ...profile,
    batchSize,
    layers: profile.layers.map((layer): LayerCost => ({ ...more(layer), outputBytes: layer.outputBytes * parts })),
    heads: profile.heads.map(more),
    input: profile.input * parts,
    loss: profile.loss * parts,
  };
}
