// A model and data of your own in one file: regression with two inputs, trained in two stages at once.
//
// npm run setup && npx tsc -p tsconfig.test.json && node build/examples/two-inputs.js [--epochs 20]
//
// Every thread imports this file to make its own part of the model: what starts the training stands behind isMainThread.
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from 'headrace/data';
import { Linear, Module, Sequential, SiLU } from 'headrace/nn';
import { formatMetrics, type ModelSpec, type RunData, ref, regression, train } from 'headrace/pipeline';
import { cat, Generator, rand, randn, type Tensor } from 'headrace/torch';

// How long a pendulum takes: its length and the angle of its swing come by two inputs.

class Join extends Module {
  length = new Linear(1, 32);
  angle = new Linear(1, 32);

  /** Two inputs [B, 1] to [B, 64]. */
  forward(length: Tensor, angle: Tensor): Tensor {
    return cat([this.length.forward(length), this.angle.forward(angle)], 1).silu();
  }
}

export function pendulum({ width }: { width: number }): ModelSpec {
  const dense = (inputs: number): Sequential => new Sequential(new Linear(inputs, width), new SiLU());
  return {
    name: 'pendulum',
    task: regression(),
    layers: [
      { name: 'join', prefix: 'join', build: () => new Join() },
      { name: 'first', prefix: 'first', build: () => dense(64) },
      { name: 'second', prefix: 'second', build: () => dense(width) },
      { name: 'last', prefix: 'last', build: () => new Linear(width, 1) },
    ],
    // A local head for what comes out of a layer.
    head: (_kind, border) => new Linear(border === 0 ? 64 : width, 1),
    // Such as a batch is: layers are measured by it, to cut the model into even stages.
    example: (size, generator) => ({
      inputs: [rand([size, 1], { generator }), rand([size, 1], { generator })],
      targets: [rand([size, 1], { generator })],
    }),
  };
}

class Swings implements BatchDataset<TensorBatch>, ThreadShareable {
  readonly #columns: readonly Tensor[];

  constructor(columns: readonly Tensor[]) {
    this.#columns = columns.map((column) => column.keep());
  }

  get length(): number {
    return this.#columns[0]!.shape[0]!;
  }

  /** Inputs first, then the target. */
  batch(indices: Tensor): TensorBatch {
    const [length, angle, period] = this.#columns.map((column) => column.indexSelect(0, indices));
    return { length: length!, angle: angle!, period: period! };
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'swingsFromShared', options: null, tensors: [...this.#columns] };
  }
}

/** The other end of `share`. */
export function swingsFromShared(_options: unknown, tensors: readonly Tensor[]): Swings {
  return new Swings(tensors);
}

export function swings({ count }: { count: number }): RunData {
  const make = (size: number, seed: number): Swings => {
    const generator = new Generator(seed);
    const length = rand([size, 1], { generator }).add(0.1);
    const angle = rand([size, 1], { generator }).mul(2);
    // The period to the fourth order of the angle, and a watch that is not quite steady.
    const wide = angle
      .square()
      .div(16)
      .add(angle.pow(4).mul(11 / 3072))
      .add(1);
    const period = length
      .div(9.81)
      .sqrt()
      .mul(2 * Math.PI)
      .mul(wide);
    return new Swings([length, angle, period.add(randn([size, 1], { generator }).mul(0.01))]);
  };
  return { train: make(count, 1), test: make(1000, 2), trainTransforms: [], testTransforms: [], inputs: 2 };
}

if (isMainThread) {
  const { values } = parseArgs({ options: { epochs: { type: 'string', default: '20' } } });
  const run = train({
    model: ref(pendulum, { width: 64 }),
    data: ref(swings, { count: 4000 }),
    stages: 2,
    epochs: Number(values.epochs),
  });
  for await (const event of run) {
    if (event.type === 'eval') console.log(`epoch ${event.epoch + 1}: ${formatMetrics(event.metrics)}`);
  }
}
