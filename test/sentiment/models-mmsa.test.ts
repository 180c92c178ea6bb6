/** The special parts of the models that MMSA's users ask for, each against a second implementation in loops. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { functional } from 'headrace/nn';
import {
  AdaptationGate,
  AttentionBlock,
  buildSentimentModel,
  gaussianEntropy,
  gaussianLikelihood,
  HyperLayer,
  MissingRows,
  missingLoss,
  predictiveCoding,
  readSentimentConfig,
  TextEnhancedTransformer,
} from 'headrace/sentiment';
import { BertEncoder, parseBertConfig, WordEncoder } from 'headrace/text';
import { Generator, noGrad, randn, type Tensor, tensor } from 'headrace/torch';
import { batchOf, contextOf, uneven } from './models-support.js';
import { assertNear } from './support.js';

type Row = readonly number[];

const drawn = (seed: number, ...shape: number[]): Tensor => randn(shape, { generator: new Generator(seed) });
const rowsOf = (x: Tensor): Row[][] => x.tolist() as number[][][];
const dot = (a: Row, b: Row): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const lengthOf = (a: Row): number => Math.sqrt(dot(a, a));

/** A linear layer of a module, by its keys. */
function linearIn(state: ReadonlyMap<string, Tensor>, key: string): (x: Row) => number[] {
  const weight = state.get(`${key}.weight`)!.tolist() as number[][];
  const bias = state.get(`${key}.bias`)!.tolist() as number[];
  return (x) => weight.map((row, i) => dot(row, x) + bias[i]!);
}

test('the adaptation gate shifts each word by what is beside it, at most by a share of its own length', () => {
  for (const betaShift of [0.2, 50]) {
    const gate = new AdaptationGate(4, { audio: 3, vision: 2 }, betaShift, 0.5).initialise(new Generator(3)).eval();
    const [words, audio, vision] = [drawn(1, 2, 3, 4), drawn(2, 2, 3, 3), drawn(3, 2, 3, 2)];
    const state = gate.stateDict();
    let limited = 0;
    const expected = rowsOf(words).map((rows, b) =>
      rows.map((z, i) => {
        const parts = (
          [
            ['audio', audio],
            ['vision', vision],
          ] as const
        ).map(([name, other]) => {
          const m = rowsOf(other)[b]![i]!;
          const g = linearIn(state, `gates.${name}`)([...m, ...z]).map((value) => Math.max(0, value));
          return linearIn(state, `shifts.${name}`)(m).map((value, k) => value * g[k]!);
        });
        const shift = z.map((_, k) => parts[0]![k]! + parts[1]![k]!);
        const alpha = Math.min(1, (betaShift * lengthOf(z)) / (lengthOf(shift) + 1e-6));
        if (alpha < 1) limited++;
        const moved = z.map((value, k) => value + alpha * shift[k]!);
        const mean = moved.reduce((sum, value) => sum + value, 0) / 4;
        const spread = Math.sqrt(moved.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4 + 1e-5);
        return moved.map((value) => (value - mean) / spread);
      }),
    );
    assert.equal(limited > 0, betaShift === 0.2);
    const others = { audio, vision };
    assertNear(noGrad(() => gate.forward(words, others)), expected.flat(2), 1e-4); // biome-ignore format: one line
  }
});

test('a word without a shift stays, with finite gradients', () => {
  const gate = new AdaptationGate(3, { audio: 2 }, 1, 0).initialise(new Generator(1));
  const words = tensor([[[1, 2, 4], [0, 0, 0]]], { requiresGrad: true }); // biome-ignore format: a row each
  gate.forward(words, { audio: tensor([[[0, 0], [0, 0]]]) }).square().sum().backward(); // biome-ignore format: a row each
  assert.ok(words.grad!.isfinite().all().item());
  for (const [key, { grad }] of gate.namedParameters()) assert.ok(grad!.isfinite().all().item(), key);
});

test('a shift of words goes before the first layer of each kind of encoder, and one of nothing changes nothing', () => {
  const config = parseBertConfig(
    {
      model_type: 'bert',
      vocab_size: 20,
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 16,
    },
    'test',
  );
  const bert = new BertEncoder(config).initialise(new Generator(2)).eval();
  const words = new WordEncoder(20, { dims: 5, width: 8, reader: 'cnn', scores: true })
    .initialise(new Generator(2))
    .eval();
  const batch = batchOf(uneven);
  for (const [encoder, width] of [
    [bert, 8],
    [words, 7],
  ] as const) {
    assert.equal(encoder.rowWidth, width);
    const plain = noGrad(() => encoder.forward(batch));
    let seen: readonly number[] = [];
    const same = noGrad(() =>
      encoder.forward(batch, (rows) => {
        seen = rows.shape;
        return rows;
      }),
    );
    assert.deepEqual(seen, [4, 5, width]);
    assertNear(same.pooled, plain.pooled.tolist() as number[][], 0);
    const other = noGrad(() => encoder.forward(batch, (rows) => rows.add(1)));
    assert.ok(other.pooled.sub(plain.pooled).abs().max().item() > 1e-4);
  }
});

test('BERT-MAG hears how words are said: of one text other sounds make another score', () => {
  const model = buildSentimentModel('bert-mag', contextOf(['text', 'audio']), {}, 1).eval();
  const batch = batchOf(uneven);
  const louder = { ...batch, audio: batch.audio!.mul(3) };
  const [a, b] = [batch, louder].map((each) => noGrad(() => model.forward(each).prediction));
  assert.ok(a!.sub(b!).abs().min().item() > 1e-4);
});

test('likelihood, entropy and contrast are those of sums written out', () => {
  const [y, mean, logVariance] = [1, 2, 3].map((seed) => drawn(seed, 6, 2)) as [Tensor, Tensor, Tensor];
  const [ys, ms, ls] = [y, mean, logVariance].map((x) => x.tolist() as number[][]) as [
    number[][],
    number[][],
    number[][],
  ];
  const likelihood = ys.map((row, i) =>
    row.reduce((sum, value, k) => sum - (value - ms[i]![k]!) ** 2 / (2 * Math.exp(ls[i]![k]!)), 0),
  );
  assertNear(gaussianLikelihood(y, mean, logVariance), likelihood.reduce((a, b) => a + b) / 6, 1e-5);
  const centre = [0, 1].map((k) => ys.reduce((sum, row) => sum + row[k]!, 0) / 6);
  const covariance = (a: number, b: number): number =>
    ys.reduce((sum, row) => sum + (row[a]! - centre[a]!) * (row[b]! - centre[b]!), 0) / 6;
  const determinant = covariance(0, 0) * covariance(1, 1) - covariance(0, 1) ** 2;
  assertNear(gaussianEntropy(y)!, Math.log(determinant) / 2, 1e-5);
  assert.equal(gaussianEntropy(y.narrow(0, 0, 2)), null);
  const cosine = (a: Row, b: Row): number => dot(a, b) / lengthOf(a) / lengthOf(b);
  const contrast = ys.map((row, i) => {
    const all = ms.map((other) => Math.exp(cosine(row, other)));
    return -Math.log(all[i]! / all.reduce((a, b) => a + b));
  });
  assertNear(predictiveCoding(y, mean), contrast.reduce((a, b) => a + b) / 6, 1e-5);
  assert.equal(
    predictiveCoding(y.narrow(0, 0, 1), mean.narrow(0, 0, 1))
      .abs()
      .item() < 1e-6,
    true,
  );
});

test('MMIM: entropy is told of the samples of each sign, and only where there are labels and samples enough', () => {
  const options = { hidden: { audio: 3 }, out: { audio: 4 }, width: 7 };
  const model = buildSentimentModel('mmim', contextOf(['text', 'audio']), options, 1).eval();
  const batch = batchOf(uneven);
  const lossesOf = (labels: number[]): string[] =>
    Object.keys(noGrad(() => model.forward({ ...batch, label: tensor(labels) })).losses);
  assert.deepEqual(lossesOf([1, 2, -1, -2]), ['contrast', 'likelihood', 'entropy']);
  assert.deepEqual(lossesOf([0, 2, 0, -2]), ['contrast', 'likelihood']);
  assert.deepEqual(lossesOf([Number.NaN, Number.NaN, Number.NaN, Number.NaN]), ['contrast', 'likelihood']);
  const without = buildSentimentModel(
    'mmim',
    contextOf(['text', 'audio']),
    { ...options, weights: { contrast: 0, bound: 0 } },
    1,
  );
  assert.deepEqual(without.forward(batch).losses, {});
});

test('a text-enhanced transformer looks at the text, then at what the other saw of it; its gradients are those of differences', () => {
  const settings = { heads: 2, layers: 2, attentionDropout: 0, reluDropout: 0, residualDropout: 0, embedDropout: 0 };
  const net = new TextEnhancedTransformer(8, settings, false).to({ dtype: 'float64' }).initialise(new Generator(4));
  const input = (seed: number, lengths: number[], rows: number) => ({
    values: drawn(seed, lengths.length, rows, 8).to({ dtype: 'float64' }),
    lengths,
    mask: tensor(lengths.map((length) => Array.from({ length: rows }, (_, i) => i < length))),
  });
  const [own, other, text] = [input(1, [3, 1], 3), input(2, [2, 4], 4), input(3, [1, 2], 2)];
  // Step by step, an utterance at a time, without any padding.
  const alone = [0, 1].map((b) => {
    const cut = ({ values, lengths }: typeof own): Tensor => values.narrow(0, b, 1).narrow(1, 0, lengths[b]!);
    const seen = net.lower_mha.forward(cut(other), cut(text), {});
    return net.upper_mha.forward(cut(own), seen, {});
  });
  const whole = noGrad(() => net.forward(own, other, text));
  assert.deepEqual(whole.shape, [2, 3, 8]);
  for (const [b, expected] of alone.entries()) {
    assertNear(whole.select(0, b).narrow(0, 0, own.lengths[b]!), expected.select(0, 0).tolist() as number[][], 1e-10);
  }
  // Finite differences: of the text through both transformers.
  text.values.requiresGrad = true;
  const pull = drawn(9, 2, 3, 8).to({ dtype: 'float64' });
  const value = (): Tensor => net.forward(own, other, text).mul(pull).narrow(1, 0, 1).sum();
  value().backward();
  const gradient = (text.values.grad!.tolist() as number[][][])[1]![1]![3]!;
  const step = 1e-5;
  const moved = (by: number): number =>
    noGrad(() => {
      text.values.select(0, 1).select(0, 1).select(0, 3).add_(by);
      return value().item();
    });
  const [up, down] = [moved(step), moved(-2 * step)];
  assertNear(gradient, (up - down) / (2 * step), 1e-6);
});

/** Of a layer without biases of its own at first: rows with mean 0 and deviation 1. */
function normalised(row: Row): number[] {
  const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
  const spread = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length + 1e-5);
  return row.map((value) => (value - mean) / spread);
}

/** Attention of heads, a row at a time. */
function attended(q: readonly Row[], k: readonly Row[], v: readonly Row[], heads: number): number[][] {
  const wide = q[0]!.length / heads;
  const part = (row: Row, h: number): Row => row.slice(h * wide, (h + 1) * wide);
  return q.map((row) =>
    Array.from({ length: heads }, (_, h) => {
      const shares = k.map((key) => Math.exp(dot(part(row, h), part(key, h)) / Math.sqrt(wide)));
      const all = shares.reduce((a, b) => a + b);
      return part(v[0]!, h).map((_, i) =>
        shares.reduce((sum, share, j) => sum + (share / all) * part(v[j]!, h)[i]!, 0),
      );
    }).flat(),
  );
}

const matrixIn = (state: ReadonlyMap<string, Tensor>, key: string): ((x: Row) => number[]) => {
  const weight = state.get(`${key}.weight`)!.tolist() as number[][];
  return (x) => weight.map((row) => dot(row, x));
};

const shape = { width: 4, heads: 2, headWidth: 3, hidden: 5 };

test('a hyper-modality is what the text finds in each of the others, added up', () => {
  const layer = new HyperLayer(['audio', 'vision'], shape).initialise(new Generator(6));
  const [hyper, text, audio, vision] = [1, 2, 3, 4].map((seed) => drawn(seed, 1, 3, 4)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const state = layer.stateDict();
  const rows = (x: Tensor): number[][] => rowsOf(x)[0]!.map(normalised);
  const found = (
    [
      ['audio', audio],
      ['vision', vision],
    ] as const
  ).map(([name, other]) => {
    const source = rows(other);
    const of = (what: string): number[][] => source.map(matrixIn(state, `${what}.${name}`));
    return attended(rows(text).map(matrixIn(state, 'to_q')), of('to_k'), of('to_v'), 2);
  });
  const out = linearIn(state, 'to_out');
  const expected = rows(hyper).map((row, i) => {
    const sum = found[0]![i]!.map((value, k) => value + found[1]![i]![k]!);
    return out(sum).map((value, k) => value + row[k]!);
  });
  assertNear(noGrad(() => layer.forward(hyper, text, { audio, vision })), expected.flat(), 1e-5); // biome-ignore format: one line
});

test('a block of ALMT: attention and a feed-forward net, each added to what came in', () => {
  const block = new AttentionBlock(shape).initialise(new Generator(7));
  const [x, source] = [drawn(5, 1, 2, 4), drawn(6, 1, 3, 4)];
  const state = block.stateDict();
  const of = (what: string, from: Tensor): number[][] => rowsOf(from)[0]!.map(normalised).map(matrixIn(state, what));
  const seen = attended(of('to_q', x), of('to_k', source), of('to_v', source), 2).map(linearIn(state, 'to_out'));
  const expected = rowsOf(x)[0]!.map((row, i) => {
    const mixed = row.map((value, k) => value + seen[i]![k]!);
    const inner = linearIn(state, 'inner')(normalised(mixed));
    const gelu = functional.gelu(tensor([...inner])).tolist() as number[];
    return linearIn(state, 'outer')(gelu).map((value, k) => value + mixed[k]!);
  });
  assertNear(noGrad(() => block.forward(x, source)), expected.flat(), 1e-5); // biome-ignore format: one line
});

test('the loss of telling missing rows is that of sums over these rows alone', () => {
  const [told, whole] = [drawn(1, 2, 3, 2), drawn(2, 2, 3, 2)];
  const missing = tensor([[0, 1, 0], [1, 1, 0]]).ne(0); // biome-ignore format: a row each
  const at = [[0, 1], [1, 0], [1, 1]] as const; // biome-ignore format: one line
  const [guess, truth] = [told, whole].map((x) => at.map(([b, t]) => rowsOf(x)[b]![t]!)) as [Row[], Row[]];
  const smooth = guess.flatMap((row, i) =>
    row.map((value, k) => {
      const off = Math.abs(value - truth[i]![k]!);
      return off < 1 ? off ** 2 / 2 : off - 0.5;
    }),
  );
  const plain = smooth.reduce((a, b) => a + b) / 6;
  assertNear(missingLoss(told, whole, missing, 0)!, plain, 1e-6);
  const moment = (rows: Row[], power: number): number[] => {
    const mean = [0, 1].map((k) => rows.reduce((sum, row) => sum + row[k]!, 0) / 3);
    if (power === 1) return mean;
    return [0, 1].map((k) => rows.reduce((sum, row) => sum + (row[k]! - mean[k]!) ** power, 0) / 3);
  };
  const apart = [1, 2, 3].map((power) => {
    const [a, b] = [moment(guess, power), moment(truth, power)];
    return Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!);
  });
  assertNear(missingLoss(told, whole, missing, 5)!, plain + (5 * apart.reduce((a, b) => a + b)) / 6, 1e-5);
  assert.equal(missingLoss(told, whole, missing.logicalAnd(missing.logicalNot()), 5), null);
});

test('TFR-Net hides rows in training alone, and learns to tell them', () => {
  const options = { missing: { text: 0.6, audio: 0.6, vision: 0.6 }, width: 8, heads: 2, layers: 1, gatedLayers: 1 };
  const model = buildSentimentModel('tfr-net', contextOf(['text', 'audio', 'vision']), options, 1);
  const batch = batchOf(uneven);
  model.setGenerator(new Generator(3));
  const { losses } = model.forward(batch);
  assert.deepEqual(Object.keys(losses), ['missing.text', 'missing.audio', 'missing.vision']);
  Object.values(losses).reduce((sum, loss) => sum.add(loss)).backward(); // biome-ignore format: one line
  for (const [key, { grad }] of model.namedParameters()) {
    if (/^(context|reconstruct)\./.test(key)) assert.ok(grad?.ne(0).any().item(), key);
    if (/^(gated|classifier)\./.test(key)) assert.equal(grad, null, key);
  }
  assert.deepEqual(model.eval().forward(batch).losses, {});
  const rows = new MissingRows();
  rows.setGenerator(new Generator(1));
  const real = tensor([Array.from({ length: 400 }, (_, i) => (i < 300 ? 1 : 0))]).ne(0);
  const [hidden] = rows.forward(real, 0.25).tolist() as unknown as boolean[][];
  const count = hidden!.filter(Boolean).length;
  assert.ok(!hidden![0] && !hidden!.slice(300).some(Boolean) && Math.abs(count - 75) < 30, `${count}`);
});

test("MMSA's names of its settings and rates reach it", () => {
  const set = { beta_shift: 0.5, dropout_prob: 0.2 };
  const config = readSentimentConfig('bert_mag', { bert: 'folder', set });
  assert.deepEqual(config.modelOptions, { betaShift: 0.5, dropout: { gate: 0.2 } });
  assert.deepEqual(
    [config.groups.text, config.groups.other.lr, config.accumulate],
    [{ lr: 2e-5, weightDecay: 0 }, 2e-5, 1],
  );
  const other = readSentimentConfig('mmim', { bert: 'folder', set: { alpha: 0.3, d_vout: 32, add_va: true } });
  assert.deepEqual(other.modelOptions, { weights: { contrast: 0.3 }, out: { vision: 32 }, visionAudio: true });
  assert.deepEqual([other.clipNorm, other.groups.text], [1, { lr: 5e-5, weightDecay: 1e-4 }]);
  const third = readSentimentConfig('tetfn', { bert: 'folder', set: { nheads: 10, conv1d_kernel_size_v: 3 } });
  assert.deepEqual(third.modelOptions, { heads: 10, kernel: { vision: 3 } });
  assert.deepEqual([third.batchSize, third.accumulate, third.unimodal], [64, 4, { labels: 'generated' }]);
  const fifth = readSentimentConfig('tfr_net', { bert: 'folder', set: { text_dropout: 0.1 } });
  assert.deepEqual([fifth.modelOptions, fifth.patience, fifth.batchSize], [{ textDropout: 0.1 }, 6, 24]);
  const fourth = readSentimentConfig('almt', { bert: 'folder', set: { AHL_depth: 2, dst_embedding_length: 4 } });
  assert.deepEqual(fourth.modelOptions, { depth: { hyper: 2 }, tokens: 4 });
  assert.deepEqual([fourth.patience, fourth.batchSize, fourth.groups.text.lr], [32, 64, 1e-4]);
});
