/** Averages of a model's weights, as PyTorch's `optim.swa_utils`. */
import { Module, type Parameter } from '../nn/index.js';
import { misfit } from '../torch/expect.js';
import { ConfigError, checkOptions, noGrad, ops, scope, type Tensor, zeros } from '../torch/index.js';

/** The next average of a tensor, from its average so far, of `count` models, and its value in the model. */
export type AverageFn = (averaged: Tensor, current: Tensor, count: number) => Tensor;

/** Updates averages in place, all of one device and dtype. */
export type MultiAverageFn = (averaged: readonly Tensor[], current: readonly Tensor[], count: number) => void;

export interface AveragedModelOptions {
  /** Where the averages live. Default: where the model does. */
  readonly device?: string;
  /** How one tensor is averaged. Default: the plain mean of all models. */
  readonly avgFn?: AverageFn;
  /** The same for many at once; instead of `avgFn`. */
  readonly multiAvgFn?: MultiAverageFn;
  /** Whether floating-point buffers are averaged, too, instead of copied. Default false. */
  readonly useBuffers?: boolean;
}

/** An exponential moving average: decay · average + (1 - decay) · current. */
export function getEmaAvgFn(decay = 0.999): AverageFn {
  expectDecay(decay);
  return (averaged, current) => averaged.mul(decay).add(current, { alpha: 1 - decay });
}

/** {@link getEmaAvgFn} for many tensors at once. */
export function getEmaMultiAvgFn(decay = 0.999): MultiAverageFn {
  expectDecay(decay);
  return (averaged, current) => {
    ops._foreachMul_(averaged, decay);
    ops._foreachAdd_(averaged, current, { alpha: 1 - decay });
  };
}

/** The plain mean of all models. */
export function getSwaAvgFn(): AverageFn {
  return (averaged, current, count) => averaged.add(current.sub(averaged).div(count + 1));
}

/** {@link getSwaAvgFn} for many tensors at once. */
export function getSwaMultiAvgFn(): MultiAverageFn {
  return (averaged, current, count) => {
    ops._foreachAdd_(averaged, ops._foreachSub(current, averaged), { alpha: 1 / (count + 1) });
  };
}

function expectDecay(decay: number): void {
  if (!(decay >= 0 && decay <= 1)) throw new ConfigError(`Expected a decay in 0..1, got ${decay}`);
}

/**
 * A clone of a model whose weights are the average of the model's over the updates: the plain mean, or an exponential one
 * with `multiAvgFn: getEmaMultiAvgFn(0.999)`. Keys: `n_averaged`, and the model's under `module`.
 */
export class AveragedModel<M extends Module = Module> extends Module {
  module: M;
  n_averaged!: Tensor;
  readonly useBuffers: boolean;
  private readonly average: MultiAverageFn;

  constructor(model: M, options: AveragedModelOptions = {}) {
    super();
    checkOptions('AveragedModel', options, ['device', 'avgFn', 'multiAvgFn', 'useBuffers']);
    const { device, avgFn, multiAvgFn, useBuffers = false } = options;
    if (avgFn && multiAvgFn) throw new ConfigError('Expected avgFn or multiAvgFn of AveragedModel, got both');
    if (!(model instanceof Module)) throw misfit('AveragedModel', 'a module', model);
    this.module = model.clone();
    if (device !== undefined) this.module.to({ device });
    this.useBuffers = useBuffers;
    this.average = multiAvgFn ?? (avgFn ? oneByOne(avgFn) : getSwaMultiAvgFn());
    const [first] = this.module.parameters();
    this.registerBuffer('n_averaged', zeros([], { dtype: 'int64', device: first?.device ?? 'cpu' }));
  }

  forward(...inputs: Parameters<M['forward']>): ReturnType<M['forward']> {
    return (this.module as { forward(...x: unknown[]): unknown }).forward(...inputs) as ReturnType<M['forward']>;
  }

  /** Takes the model's weights into the average; the first time they are the average. */
  updateParameters(model: M): void {
    if (!(model instanceof Module)) throw misfit('AveragedModel.updateParameters', 'a module', model);
    noGrad(() =>
      scope(() => {
        const count = this.n_averaged.item();
        const [averaged, current] = this.pairs(model);
        if (count === 0) for (const [i, tensor] of averaged.entries()) tensor.copy_(current[i] as Tensor);
        else this.average(averaged, current, count);
        this.n_averaged.add_(1);
      }),
    );
  }

  /** What is averaged, here and in the model; other buffers are copied. */
  private pairs(model: M): [averaged: Tensor[], current: Tensor[]] {
    const own: Tensor[] = [...this.module.parameters()].map(detached);
    const others: Tensor[] = [...model.parameters()].map(detached);
    const buffers = [...model.buffers()];
    for (const [i, buffer] of [...this.module.buffers()].entries()) {
      const other = buffers[i] as Tensor;
      if (!this.useBuffers || !buffer.dtype.includes('float')) buffer.copy_(other);
      else {
        own.push(buffer);
        others.push(other);
      }
    }
    const current = others.map((x, i) => x.to({ device: own[i]?.device ?? x.device, dtype: own[i]?.dtype ?? x.dtype }));
    return [own, current];
  }
}

const detached = (parameter: Parameter): Tensor => parameter.detach();

function oneByOne(average: AverageFn): MultiAverageFn {
  return (averaged, current, count) => {
    for (const [i, tensor] of averaged.entries()) tensor.copy_(average(tensor, current[i] as Tensor, count));
  };
}
