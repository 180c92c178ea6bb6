/** Self-supervised unimodal labels: the state of the label generator, one row for each training sample. */
import {
  ConfigError,
  DataError,
  type DType,
  keep,
  noGrad,
  ShapeError,
  scope,
  stack,
  type Tensor,
  tensor,
  zeros,
} from '../torch/index.js';
import { checkOptions } from '../torch/options.js';
import { expectEpoch, generateLabels, momentumLabels, relativeDistance } from './ulgm-formulas.js';

/** The head whose label is given and never changes. */
const MULTIMODAL = 'multimodal';

export interface UnimodalLabelsOptions {
  /** Widths of the features of each head: `multimodal`, and one for each modality. */
  readonly widths: Readonly<Record<string, number>>;
  /** Labels stay in [-limit, limit]: 3 for MOSI and MOSEI, 1 for SIMS. */
  readonly limit: number;
  /** Whether samples of label 0 belong to neither centre (default, as MMSA) or to the positive one (as Self-MM). */
  readonly excludeZero?: boolean;
  /** Epochs in which the labels stay the multimodal ones. Default 1; from the next one on they move. */
  readonly warmup?: number;
  /** `'float32'` (default) or `'float64'`. */
  readonly dtype?: DType;
  readonly device?: string;
}

/** What is known of one head: its labels [N], the last features of each sample [N, width], and two centres of them. */
interface Head {
  readonly labels: Tensor;
  readonly features: Tensor;
  /** [2, width]: of the positive samples, of the negative ones. */
  readonly centres: Tensor;
  /** Samples behind each centre. */
  counts: readonly number[];
}

/**
 * Labels for each modality, made while the model trains (see {@link generateLabels}). Samples go by their id, so that
 * neither order nor batch size matters to the state; ids that were not given at the start, those of validation and test
 * among them, are refused.
 *
 * A step is: loss with the current labels, backward, then {@link update} with that batch's features. The features are
 * those after the first hidden layer of each head, not the encoders' own.
 *
 * @example
 * const labels = new UnimodalLabels(trainLabels, { widths: { multimodal: 128, text: 32, audio: 16 }, limit: 3 });
 * const { multimodal, text, audio } = labels.of(ids);
 * labels.update(ids, { multimodal: fused, text: hiddenText, audio: hiddenAudio }, epoch);
 */
export class UnimodalLabels {
  /** Sample ids, sorted: the order of the rows of all tables. */
  readonly ids: readonly string[];
  readonly modalities: readonly string[];
  readonly #heads: ReadonlyMap<string, Head>;
  readonly #rows: ReadonlyMap<string, bigint>;
  /** 1 for samples whose features are known [N]. */
  readonly #seen: Tensor;
  readonly #options: Required<UnimodalLabelsOptions>;

  /** @param samples - id and multimodal label of every training sample */
  constructor(samples: Iterable<readonly [id: string, label: number]>, options: UnimodalLabelsOptions) {
    checkOptions('UnimodalLabels', options, ['widths', 'limit', 'excludeZero', 'warmup', 'dtype', 'device']);
    this.#options = withDefaults(options);
    const sorted = sortSamples(samples, this.#options.limit);
    this.ids = sorted.map(([id]) => id);
    this.#rows = new Map(this.ids.map((id, row) => [id, BigInt(row)]));
    this.modalities = Object.keys(options.widths).filter((name) => name !== MULTIMODAL);
    const { dtype, device } = this.#options;
    this.#seen = keep(zeros([sorted.length], { dtype: 'uint8', device }));
    const labels = Float64Array.from(sorted, ([, label]) => label);
    const made = Object.entries(options.widths).map(([name, width]): [string, Head] => [
      name,
      {
        labels: keep(tensor(labels, { dtype, device })),
        features: keep(zeros([sorted.length, width], { dtype, device })),
        centres: keep(zeros([2, width], { dtype, device })),
        counts: [0, 0],
      },
    ]);
    this.#heads = new Map(made);
  }

  /** The current labels of some samples, [batch] for each head. */
  of(ids: readonly string[]): Record<string, Tensor> {
    return scope(() => {
      const rows = this.#rowsOf(ids);
      return Object.fromEntries([...this.#heads].map(([name, { labels }]) => [name, labels.indexSelect(0, rows)]));
    });
  }

  /**
   * After a step: moves the labels of a batch by the centres as they were before it (from epoch `warmup` + 1 on), then
   * stores its features and computes the centres anew from all samples seen so far.
   *
   * @param features - [batch, width] of every head, in the order of `ids`; no gradient is taken through them
   * @param epoch - from 1
   * @returns the modalities whose labels should have moved and could not, because no sample of one sign is known for
   * them or for the fused features; empty otherwise
   * @throws DataError for an unknown or repeated id, or features that are not finite; nothing is changed then
   */
  update(ids: readonly string[], features: Readonly<Record<string, Tensor>>, epoch: number): string[] {
    expectEpoch(epoch);
    return noGrad(() =>
      scope(() => {
        const rows = this.#rowsOf(ids);
        const given = new Map([...this.#heads].map(([name, head]) => [name, this.#check(name, head, features, ids)]));
        const held = epoch > this.#options.warmup ? this.#relabel(rows, given, epoch) : [];
        for (const [name, head] of this.#heads) head.features.indexCopy_(0, rows, given.get(name)!);
        this.#seen.indexFill_(0, rows, 1);
        for (const head of this.#heads.values()) this.#recentre(head);
        return held;
      }),
    );
  }

  /** Mean of |label - multimodal label| over all samples: how far each modality's labels have moved. */
  drift(): Record<string, number> {
    return scope(() => {
      const original = this.#head(MULTIMODAL).labels;
      const distance = (name: string) => this.#head(name).labels.sub(original).abs().mean().item();
      return Object.fromEntries(this.modalities.map((name) => [name, distance(name)]));
    });
  }

  /** Every sample's labels by head, to export. */
  *entries(): IterableIterator<[id: string, labels: Record<string, number>]> {
    const columns = [...this.#heads].map(([name, { labels }]) => [name, labels.tolist() as number[]] as const);
    for (const [row, id] of this.ids.entries()) {
      yield [id, Object.fromEntries(columns.map(([name, values]) => [name, values[row]!]))];
    }
  }

  /** The state as tensors for a safetensors file: detached views on the live ones, and the ids as UTF-8 of a JSON list. */
  stateDict(prefix = ''): Map<string, Tensor> {
    const ids = tensor(new TextEncoder().encode(JSON.stringify(this.ids)));
    const state = new Map([
      [`${prefix}ids`, ids],
      [`${prefix}seen`, this.#seen.detach()],
    ]);
    for (const [name, head] of this.#heads) {
      for (const part of PARTS) state.set(`${prefix}${part}.${name}`, head[part].detach());
    }
    return state;
  }

  /**
   * Takes over a state that {@link stateDict} gave.
   * @throws DataError unless it belongs to the same samples, multimodal labels and heads; nothing is changed then
   */
  loadStateDict(state: ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>): void {
    const source: ReadonlyMap<string, Tensor> = state instanceof Map ? state : new Map(Object.entries(state));
    noGrad(() =>
      scope(() => {
        expectSameIds(this.ids, source.get('ids'));
        expectSameTensors(this.stateDict(), source);
        this.#expectSameLabels(source.get(`labels.${MULTIMODAL}`)!);
        this.#seen.copy_(source.get('seen')!);
        for (const [name, head] of this.#heads) {
          for (const part of PARTS) head[part].copy_(source.get(`${part}.${name}`)!);
          head.counts = this.#signs(head).sum([1]).tolist() as number[];
        }
      }),
    );
  }

  #head(name: string): Head {
    return this.#heads.get(name)!;
  }

  #rowsOf(ids: readonly string[]): Tensor {
    const rows = ids.map((id) => {
      const row = this.#rows.get(id);
      if (row === undefined) {
        throw new DataError(`Expected ids of training samples, got '${id}', which is not among the ${this.ids.length}`);
      }
      return row;
    });
    if (new Set(rows).size !== rows.length) {
      const twice = ids.find((id, i) => ids.indexOf(id) !== i);
      throw new DataError(`Expected each sample once in a batch, got '${twice}' twice`);
    }
    return tensor(BigInt64Array.from(rows), { device: this.#options.device });
  }

  #check(name: string, head: Head, features: Readonly<Record<string, Tensor>>, ids: readonly string[]): Tensor {
    const width = head.features.shape[1]!;
    const given = features[name];
    if (given === undefined) throw new ConfigError(`Expected features of ${name}, got ${Object.keys(features).join()}`);
    const shape = given.shape;
    if (shape.length !== 2 || shape[0] !== ids.length || shape[1] !== width) {
      throw new ShapeError(`Expected features [${ids.length}, ${width}] of ${name}, got [${shape}]`);
    }
    const own = given.detach().to({ dtype: this.#options.dtype, device: this.#options.device });
    const finite = own.isfinite().all(1).tolist() as number[];
    const bad = finite.indexOf(0);
    if (bad >= 0)
      throw new DataError(`Expected finite features of ${name}, got NaN or infinity for sample '${ids[bad]}'`);
    return own;
  }

  #relabel(rows: Tensor, given: ReadonlyMap<string, Tensor>, epoch: number): string[] {
    const known = (name: string) => this.#head(name).counts.every((count) => count > 0);
    const alpha = (name: string) => relativeDistance(given.get(name)!, this.#head(name).centres);
    if (!known(MULTIMODAL)) return [...this.modalities];
    const [multimodal, original] = [alpha(MULTIMODAL), this.#head(MULTIMODAL).labels.indexSelect(0, rows)];
    for (const name of this.modalities.filter(known)) {
      const { labels } = this.#head(name);
      const made = generateLabels(alpha(name), multimodal, original, this.#options.limit);
      labels.indexCopy_(0, rows, momentumLabels(labels.indexSelect(0, rows), made, epoch));
    }
    return this.modalities.filter((name) => !known(name));
  }

  #recentre(head: Head): void {
    const signs = this.#signs(head);
    const counts = signs.sum([1]);
    head.centres.copy_(signs.matmul(head.features).div(counts.clampMin(1).unsqueeze(1)));
    head.counts = counts.tolist() as number[];
  }

  /** [2, N]: 1 where a seen sample is positive, and where it is negative. */
  #signs({ labels }: Head): Tensor {
    const positive = this.#options.excludeZero ? labels.gt(0) : labels.ge(0);
    return stack([positive, labels.lt(0)])
      .mul(this.#seen)
      .to({ dtype: this.#options.dtype });
  }

  #expectSameLabels(stored: Tensor): void {
    const [own, other] = [this.#head(MULTIMODAL).labels.tolist() as number[], stored.tolist() as number[]];
    const changed = this.ids.filter((_, row) => own[row] !== other[row]);
    if (changed.length === 0) return;
    throw new DataError(
      `Expected the multimodal labels that the state was made with, got others for ${changed.length} of ` +
        `${this.ids.length} samples (${some(changed)}): load the data set that the run began with`,
    );
  }
}

const PARTS = ['labels', 'features', 'centres'] as const;

function withDefaults(options: UnimodalLabelsOptions): Required<UnimodalLabelsOptions> {
  const { widths, limit, warmup = 1, excludeZero = true, dtype = 'float32', device = 'cpu' } = options;
  if (!(MULTIMODAL in widths) || Object.keys(widths).length < 2) {
    throw new ConfigError(
      `Expected widths of '${MULTIMODAL}' and of one modality or more, got those of ${Object.keys(widths).join(', ') || 'none'}`,
    );
  }
  for (const [name, width] of Object.entries(widths)) {
    if (!Number.isInteger(width) || width < 1)
      throw new ConfigError(`Expected a width of ${name} from 1, got ${width}`);
  }
  if (!(limit > 0 && Number.isFinite(limit))) throw new ConfigError(`Expected a limit above 0, got ${limit}`);
  if (!Number.isInteger(warmup) || warmup < 0) throw new ConfigError(`Expected warmup epochs from 0, got ${warmup}`);
  if (dtype !== 'float32' && dtype !== 'float64') {
    throw new ConfigError(`Expected dtype 'float32' or 'float64' for labels, got '${dtype}'`);
  }
  return { widths, limit, warmup, excludeZero, dtype, device };
}

/** Sorted by id, so that the state does not depend on the data set's order. */
function sortSamples(samples: Iterable<readonly [string, number]>, limit: number): (readonly [string, number])[] {
  const sorted = [...samples].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (sorted.length === 0) throw new DataError('Expected training samples with labels, got none');
  for (const [i, [id, label]] of sorted.entries()) {
    if (i > 0 && sorted[i - 1]![0] === id) throw new DataError(`Expected every sample id once, got '${id}' twice`);
    if (!(Math.abs(label) <= limit)) {
      throw new DataError(`Expected labels in [-${limit}, ${limit}], got ${label} for sample '${id}': clip them first`);
    }
  }
  return sorted;
}

function expectSameTensors(own: ReadonlyMap<string, Tensor>, source: ReadonlyMap<string, Tensor>): void {
  const shapeOf = (from: ReadonlyMap<string, Tensor>, key: string) => {
    const found = from.get(key);
    return found === undefined ? 'nothing' : `[${found.shape}]`;
  };
  const wrong = [...new Set([...own.keys(), ...source.keys()])]
    .filter((key) => shapeOf(own, key) !== shapeOf(source, key))
    .map((key) => `${key}: expected ${shapeOf(own, key)}, got ${shapeOf(source, key)}`);
  if (wrong.length > 0) throw new DataError(`Expected the state of these unimodal labels:\n  ${wrong.join('\n  ')}`);
}

function expectSameIds(own: readonly string[], stored: Tensor | undefined): void {
  const ids = stored === undefined ? [] : parseIds(stored);
  if (ids.length === own.length && ids.every((id, row) => id === own[row])) return;
  const [mine, others] = [new Set(own), new Set(ids)];
  const [absent, surplus] = [own.filter((id) => !others.has(id)), ids.filter((id) => !mine.has(id))];
  throw new DataError(
    `Expected a state of the same ${own.length} samples in sorted order, got one of ${ids.length} that lacks ` +
      `${absent.length} (${some(absent)}) and has ${surplus.length} others (${some(surplus)})`,
  );
}

function parseIds(stored: Tensor): string[] {
  try {
    const ids: unknown = JSON.parse(new TextDecoder().decode(stored.bytes()));
    if (Array.isArray(ids) && ids.every((id): id is string => typeof id === 'string')) return ids;
    throw new DataError('Expected the ids of a state as a JSON list of strings, got other JSON');
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError('Expected the ids of a state as a JSON list of strings, got no JSON', { cause });
  }
}

function some(ids: readonly string[]): string {
  return ids.length > 3 ? `${ids.slice(0, 3).join(', ')}, ...` : ids.join(', ') || 'none';
}
