/** The arithmetic of the baseline models against PyTorch's (see golden/models.py), in float64. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  CrossmodalTransformer,
  centralMomentDiscrepancy,
  differenceLoss,
  LowRankFusion,
  poolRows,
  rowStatistics,
  type SequenceInput,
  sightOf,
  tensorFusion,
} from 'headrace/sentiment';
import { type NestedNumbers, type Tensor, tensor } from 'headrace/torch';
import { assertNear, f64 } from './support.js';

type Matrix = readonly (readonly number[])[];
type ByName<T> = Readonly<Record<string, T>>;

interface CrossmodalCase {
  readonly outputs: readonly Matrix[];
  readonly targetGradients: readonly Matrix[];
  readonly sourceGradients: readonly Matrix[];
  readonly weightGradient: Matrix;
}

interface Golden {
  readonly tensorFusion: { readonly vectors: ByName<Matrix>; readonly three: Matrix; readonly two: Matrix };
  readonly lowRankFusion: {
    readonly vectors: ByName<Matrix>;
    readonly state: ByName<NestedNumbers>;
    readonly output: Matrix;
    readonly pull: Matrix;
    readonly gradients: ByName<NestedNumbers>;
  };
  readonly misa: ByName<Matrix> & {
    readonly cmd: number;
    readonly cmdGradients: readonly [Matrix, Matrix];
    readonly difference: number;
    readonly differenceGradients: readonly [Matrix, Matrix];
  };
  readonly crossmodal: {
    readonly state: ByName<NestedNumbers>;
    readonly targets: readonly Matrix[];
    readonly sources: readonly Matrix[];
    readonly pulls: readonly Matrix[];
    readonly cases: ByName<CrossmodalCase>;
  };
}

const golden = JSON.parse(
  readFileSync(new URL('../../../test/sentiment/golden/models.json', import.meta.url), 'utf8'),
) as Golden;

const stateOf = (state: ByName<NestedNumbers>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(state).map(([key, value]) => [key, tensor(value, { dtype: 'float64' })]));

const flat = (values: NestedNumbers): number[] => [values].flat(9) as number[];

test('tensor fusion: every product, a 1 before each vector', () => {
  const { vectors, three, two } = golden.tensorFusion;
  const all = Object.values(vectors).map((rows) => f64(rows));
  assertNear(tensorFusion(all), three, 1e-12);
  assertNear(tensorFusion(all.slice(0, 2)), two, 1e-12);
  assert.deepEqual(tensorFusion([f64([[2, 3]]), f64([[5]])]).tolist(), [[1, 5, 2, 10, 3, 15]]);
});

test('low-rank fusion: as if the whole tensor of weights had been made, gradients too', () => {
  const { vectors, state, output, pull, gradients } = golden.lowRankFusion;
  const fusion = new LowRankFusion({ text: 3, audio: 2, vision: 2 }, 3, 2).to({ dtype: 'float64' });
  fusion.loadStateDict(stateOf(state));
  const given = Object.fromEntries(Object.entries(vectors).map(([name, rows]) => [name, f64(rows, true)]));
  const fused = fusion.forward(given);
  assertNear(fused, output, 1e-12);
  fused.mul(f64(pull)).sum().backward();
  const parameters = new Map<string, Tensor>([...Object.entries(given), ...fusion.namedParameters()]);
  for (const [name, expected] of Object.entries(gradients)) {
    assertNear(parameters.get(name)!.grad!, flat(expected), 1e-12, `gradient of ${name}`);
  }
});

test('central moment discrepancy, and its gradients', () => {
  const { cmd, cmdGradients, ...rows } = golden.misa;
  const [a, b] = [f64(rows.a!, true), f64(rows.b!, true)];
  const loss = centralMomentDiscrepancy(a, b);
  assertNear(loss, cmd, 1e-12);
  loss.backward();
  assertNear(a.grad!, cmdGradients[0], 1e-12);
  assertNear(b.grad!, cmdGradients[1], 1e-12);
});

test('central moment discrepancy of equal rows, and of one row: 0 with gradient 0', () => {
  const [a, one] = [f64([[0.1, 0.9], [0.4, 0.2]], true), f64([[0.3, 0.6]], true)]; // biome-ignore format: two rows
  centralMomentDiscrepancy(a, a.detach().clone()).add(centralMomentDiscrepancy(one, one.detach())).backward();
  assert.deepEqual([...flat(a.grad!.tolist()), ...flat(one.grad!.tolist())], [0, 0, 0, 0, 0, 0]);
  assert.throws(() => centralMomentDiscrepancy(a, f64([[1, 2, 3]])), /same width, got \[2,2\] and \[1,3\]/);
});

test('difference loss, and its gradients', () => {
  const { difference, differenceGradients, ...rows } = golden.misa;
  const [a, c] = [f64(rows.a!, true), f64(rows.c!, true)];
  const loss = differenceLoss(a, c);
  assertNear(loss, difference, 1e-12);
  loss.backward();
  assertNear(a.grad!, differenceGradients[0], 1e-12);
  assertNear(c.grad!, differenceGradients[1], 1e-12);
  assert.equal(differenceLoss(f64([[1, 2]]), f64([[3, 4]])).item(), 0);
});

/** Sequences of unequal lengths as a batch, garbage behind them. */
function padded(sequences: readonly Matrix[]): SequenceInput {
  const longest = Math.max(...sequences.map(({ length }) => length)) + 1;
  const width = sequences[0]![0]!.length;
  const fill = (rows: Matrix): Matrix => [...rows, ...Array(longest - rows.length).fill(Array(width).fill(9))];
  return {
    values: tensor(sequences.map(fill) as NestedNumbers, { dtype: 'float64', requiresGrad: true }),
    lengths: sequences.map(({ length }) => length),
    mask: tensor(sequences.map((rows) => Array.from({ length: longest }, (_, i) => i < rows.length))),
  };
}

for (const [name, expected] of Object.entries(golden.crossmodal.cases)) {
  test(`crossmodal transformer, ${name}: a padded batch gives what each utterance gives alone`, () => {
    const { state, targets, sources, pulls } = golden.crossmodal;
    const model = new CrossmodalTransformer(6, {
      heads: 2,
      layers: 2,
      attentionDropout: 0,
      reluDropout: 0,
      residualDropout: 0,
      embedDropout: 0,
    }).to({ dtype: 'float64' });
    model.loadStateDict(stateOf(state));
    const [target, source] = [padded(targets), padded(sources)];
    const to = name === 'self' ? target : source;
    const sight = sightOf(target, to, 2, name !== 'whole');
    const output = model.forward(target.values, name === 'self' ? null : source.values, sight);
    const rowsOf = (values: Tensor, each: readonly Matrix[]): Tensor[] =>
      each.map((rows, b) => values.select(0, b).narrow(0, 0, rows.length));
    const parts = rowsOf(output, targets);
    for (const [b, part] of parts.entries()) assertNear(part, expected.outputs[b]!, 1e-10, `utterance ${b}`);
    parts
      .map((part, b) => part.mul(f64(pulls[b]!)).sum())
      .reduce((sum, part) => sum.add(part))
      .backward();
    const gradients = [
      ...rowsOf(target.values.grad!, targets),
      ...(name === 'self' ? [] : rowsOf(source.values.grad!, sources)),
    ];
    const known = [...expected.targetGradients, ...expected.sourceGradients];
    assert.equal(gradients.length, known.length);
    for (const [i, gradient] of gradients.entries()) assertNear(gradient, known[i]!, 1e-10, `gradient ${i}`);
    const weight = new Map(model.namedParameters()).get('layers.0.self_attn.in_proj_weight')!;
    assertNear(weight.grad!, expected.weightGradient, 1e-10);
  });
}

test("an utterance's statistics are the mean and the deviation of its own rows, without the padding", () => {
  const values = tensor([[[1, 2], [3, 6], [50, 50]], [[5, 7], [50, 50], [50, 50]]], { dtype: 'float64', requiresGrad: true }); // biome-ignore format: two utterances
  const mask = tensor([[1, 1, 0], [1, 0, 0]]).ne(0); // biome-ignore format: two utterances
  const made = rowStatistics({ values, lengths: [2, 1], mask });
  assertNear(made, [[2, 4, 1, 2], [5, 7, 0, 0]], 1e-3); // biome-ignore format: two utterances
  made.sum().backward();
  const gradient = values.grad!.tolist() as number[][][];
  assert.deepEqual([gradient[0]![2], gradient[1]![1]], [[0, 0], [0, 0]]); // biome-ignore format: two rows
  assert.ok(flat(gradient).every(Number.isFinite));
});

test('rows are averaged into segments: more rows than segments, fewer, and as many', () => {
  const input = padded([[[1], [2], [3], [4], [5]], [[6], [8]], [[1], [2], [3]], [[7]]]);
  const pooled = poolRows(input, [2, 3, 3, 2], 4);
  // 5 in 2: rows 0 to 2 and 2 to 4. 2 in 3: row 0, both, row 1.
  assertNear(pooled, flat([[2, 4, 0, 0], [6, 7, 8, 0], [1, 2, 3, 0], [7, 7, 0, 0]]), 1e-12); // biome-ignore format: a row each
});
