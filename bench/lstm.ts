/** An LSTM layer forward and backward: Headrace's operator against libtorch's, in one process. */
import { Generator, grad, op, ops, randn, scope, setNumThreads, type Tensor, tensor } from 'headrace/torch';
import { interleave, type Side } from './interleave.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';

const BATCH = 32;
/** Rows of features, as they come in the data sets of sentiment, and a wide layer, in which products count most. */
const shapes = [
  { longest: 60, inputs: 5, hidden: 16 },
  { longest: 375, inputs: 74, hidden: 16 },
  { longest: 100, inputs: 300, hidden: 256 },
] as const;
type Shape = (typeof shapes)[number];
type Run = (data: Tensor, sizes: Tensor, state: readonly Tensor[], weights: readonly Tensor[]) => readonly Tensor[];

const fused = op('headrace::lstm');
const sides: Readonly<Record<string, Run>> = {
  Headrace: (data, sizes, state, weights) =>
    fused(data, sizes, state, weights, true, 1, 0, true, false, false) as readonly Tensor[],
  libtorch: (data, sizes, state, weights) => ops.lstm(data, sizes, state, weights, true, 1, 0, true, false),
};

/** Milliseconds of a forward and a backward pass over packed sequences of even lengths up to the longest. */
function pass(run: Run, { longest, inputs, hidden }: Shape): () => number {
  const generator = new Generator(0);
  const lengths = Array.from({ length: BATCH }, (_, i) => Math.ceil((longest * (i + 1)) / BATCH));
  const each = Array.from({ length: longest }, (_, t) => lengths.filter((length) => length > t).length);
  const rows = each.reduce((a, b) => a + b);
  const make = (...shape: number[]): Tensor => randn(shape, { generator }).div(Math.sqrt(hidden)).keep();
  const [data, sizes] = [make(rows, inputs), tensor(each, { dtype: 'int64' }).keep()];
  const state = [make(1, BATCH, hidden), make(1, BATCH, hidden)];
  const shapesOf = [[4 * hidden, inputs], [4 * hidden, hidden], [4 * hidden], [4 * hidden]];
  const weights = shapesOf.map((shape) => make(...shape).requiresGrad_());
  return () => {
    const start = performance.now();
    scope(() => grad(run(data, sizes, state, weights)[1]!.sum(), weights));
    return performance.now() - start;
  };
}

export async function lstmPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const rowsOf: Row[] = [];
  for (const shape of shapes) {
    const { longest, inputs, hidden } = shape;
    const name = `${longest} x ${inputs} to ${hidden}`;
    const turns = Object.entries(sides).map(([label, run]): [string, Side] => {
      const once = pass(run, shape);
      return [label, async () => median(Array.from({ length: quick ? 2 : 15 }, once))];
    });
    const found = await interleave(`lstm ${name}`, 'ms', new Map(turns), rounds, turn);
    for (const [label, values] of found) rowsOf.push(row(`${name}, ${label}`, 'ms', values));
    const [ours, theirs] = [found.get('Headrace')!, found.get('libtorch')!];
    rowsOf.push(ratio(`${name}, speed of Headrace / libtorch`, theirs, ours, { least: 1 }));
  }
  const notes = [
    `"375 x 74 to 16": ${BATCH} packed sequences of up to 375 rows of 74 numbers, into a layer of 16. One thread, float32, ` +
      'both operators called from TypeScript.',
  ];
  return { title: 'LSTM layer: forward and backward', settings: { batch: BATCH, shapes }, rows: rowsOf, notes };
}
