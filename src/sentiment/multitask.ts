/** The loss of a multimodal task and its unimodal companions (Self-MM, AAAI 2021; arXiv 2305.08473). */
import { ConfigError, ShapeError, scope, type Tensor } from '../torch/index.js';
import { checkOptions } from '../torch/options.js';

/** A head's output and what it should be: [batch] or [batch, 1] each. */
export interface Task {
  readonly prediction: Tensor;
  readonly label: Tensor;
}

export interface MultitaskOptions {
  /**
   * `'difference'` (default) weighs each sample of a unimodal task by {@link differenceWeights}; `'uniform'` by 1, for
   * unimodal labels that people gave.
   */
  readonly weighting?: 'difference' | 'uniform';
  /** Factors of whole tasks: of `multimodal` and of each modality. Default 1 each. */
  readonly taskWeights?: Readonly<Record<string, number>>;
}

/** The parts of the loss, scalars, already weighted; their sum is `total`. */
export interface MultitaskLoss {
  readonly total: Tensor;
  readonly multimodal: Tensor;
  readonly unimodal: Readonly<Record<string, Tensor>>;
}

/**
 * tanh |y_s - y_m| for each sample: a modality is taught where it differs from the whole. Zero as long as the unimodal
 * labels are the multimodal ones, so that its head learns nothing until they have moved.
 * @param label - y_s [batch]
 * @param multimodal - y_m [batch]
 */
export function differenceWeights(label: Tensor, multimodal: Tensor): Tensor {
  return scope(() => label.detach().sub(multimodal.detach()).abs().tanh());
}

/**
 * mean |ŷ_m - y_m| + Σ_s mean(W_s · |ŷ_s - y_s|). Add an {@link alignmentLoss} for the third part of the objective;
 * leave modalities out, or all, for its ablations.
 * @throws ShapeError unless every prediction and label has one number for each sample of the batch
 */
export function multitaskLoss(
  multimodal: Task,
  unimodal: Readonly<Record<string, Task>> = {},
  options: MultitaskOptions = {},
): MultitaskLoss {
  checkOptions('multitaskLoss', options, ['weighting', 'taskWeights']);
  const { weighting = 'difference', taskWeights = {} } = options;
  if (weighting !== 'difference' && weighting !== 'uniform') {
    throw new ConfigError(`Expected weighting 'difference' or 'uniform', got '${String(weighting)}'`);
  }
  expectWeights(taskWeights, ['multimodal', ...Object.keys(unimodal)]);
  return scope(() => {
    const batch = multimodal.label.numel;
    const whole = flat('multimodal', multimodal, batch);
    const weigh = (name: string, loss: Tensor) => loss.mul(taskWeights[name] ?? 1);
    const parts = Object.entries(unimodal).map(([name, task]): [string, Tensor] => {
      const { prediction, label } = flat(name, task, batch);
      const errors = prediction.sub(label).abs();
      const weighted = weighting === 'uniform' ? errors : errors.mul(differenceWeights(label, whole.label));
      return [name, weigh(name, weighted.mean())];
    });
    const first = weigh('multimodal', whole.prediction.sub(whole.label).abs().mean());
    const total = parts.reduce((sum, [, part]) => sum.add(part), first);
    return { total, multimodal: first, unimodal: Object.fromEntries(parts) };
  });
}

/** [batch, 1] minus [batch] would be [batch, batch], without an error. */
function flat(name: string, { prediction, label }: Task, batch: number): Task {
  const check = (what: string, values: Tensor) => {
    const shape = values.shape;
    const fits = shape[0] === batch && (shape.length === 1 || (shape.length === 2 && shape[1] === 1));
    if (batch > 0 && fits) return values.reshape([batch]);
    throw new ShapeError(
      `Expected ${what}s of ${name} [${batch || 'batch'}] or [${batch || 'batch'}, 1], got [${shape}]`,
    );
  };
  return { prediction: check('prediction', prediction), label: check('label', label).detach() };
}

function expectWeights(weights: Readonly<Record<string, number>>, tasks: readonly string[]): void {
  for (const [name, weight] of Object.entries(weights)) {
    if (!tasks.includes(name)) throw new ConfigError(`Expected weights of ${tasks.join(', ')}, got one of '${name}'`);
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new ConfigError(`Expected a task weight of ${name} from 0, got ${weight}`);
    }
  }
}
