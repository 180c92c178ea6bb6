import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Adam } from 'headrace/optim';
import {
  alignmentLoss,
  buildSentimentModel,
  type Modality,
  type ModelName,
  type SentimentOutput,
  type SharedPrivate,
} from 'headrace/sentiment';
import { noGrad, scope, type Tensor } from 'headrace/torch';
import { batchOf, build, contextOf, names, rowWidths, small, textWidth, uneven } from './models-support.js';
import { assertNear } from './support.js';

const three: readonly Modality[] = ['text', 'audio', 'vision'];
const sets: readonly (readonly Modality[])[] = [three, ['text', 'audio'], ['vision', 'audio']];
/** Models whose middle the text is. */
const onText: readonly ModelName[] = ['bert-mag', 'mmim', 'tetfn', 'almt'];
const setsOf = (name: ModelName): readonly (readonly Modality[])[] =>
  name === 'text-only' ? [['text']] : onText.includes(name) ? [three, ['text', 'audio']] : sets;

/** Width of `features`, by modality; null: the model has none. */
const featureWidths: Readonly<Record<ModelName, Readonly<Record<Modality, number>> | null>> = {
  'shared-private': { text: textWidth, audio: 5, vision: 6 },
  'self-mm': { text: textWidth, audio: 5, vision: 6 },
  'text-only': { text: textWidth, audio: 0, vision: 0 },
  'ef-lstm': null,
  'lf-dnn': { text: 6, audio: 6, vision: 8 },
  tfn: { text: 2, audio: 6, vision: 8 },
  lmf: { text: 6, audio: 6, vision: 8 },
  mult: { text: 8, audio: 8, vision: 8 },
  misa: { text: 8, audio: 8, vision: 8 },
  'bert-mag': null,
  mmim: { text: textWidth, audio: 4, vision: 5 },
  tetfn: { text: 8, audio: 8, vision: 8 },
  almt: { text: 8, audio: 8, vision: 8 },
  'tfr-net': null,
};

/** Everything that a model can be trained by, as one number. */
function objective({ prediction, unimodal, losses }: SentimentOutput): Tensor {
  const parts = [prediction.square().sum(), ...Object.values(unimodal).map((x) => x.square().sum())];
  return [...parts, ...Object.values(losses)].reduce((sum, part) => sum.add(part));
}

// self-mm is shared-private under another name: see below.
for (const name of names.filter((each) => each !== 'self-mm')) {
  test(`${name}: a score or classes, and vectors of each modality, of two modalities and of three`, () => {
    for (const modalities of setsOf(name)) {
      for (const outputs of [1, 3]) {
        const output = noGrad(() => build(name, modalities, { outputs }).forward(batchOf(uneven)));
        assert.deepEqual(output.prediction.shape, outputs === 1 ? [4] : [4, 3]);
        const widths = featureWidths[name];
        const expected = widths === null ? {} : Object.fromEntries(modalities.map((each) => [each, [4, widths[each]]]));
        const shapes = Object.entries(output.features).map(([each, tensor]) => [each, tensor.shape] as const);
        assert.deepEqual(Object.fromEntries(shapes), expected);
      }
    }
  });

  test(`${name}: an utterance's prediction does not depend on its batch, nor on what stands in the padding`, () => {
    for (const modalities of setsOf(name)) {
      const model = build(name, modalities).eval();
      const alone = uneven.map((one) => noGrad(() => model.forward(batchOf([one]))).prediction.item());
      const together = noGrad(() => model.forward(batchOf(uneven, { rows: 9, padding: 77 })));
      assertNear(together.prediction, alone, 1e-5, `${name} of ${modalities}`);
      for (const [i, score] of alone.entries()) assert.ok(alone.indexOf(score) === i, 'scores differ from each other');
    }
  });

  test(`${name}: every parameter of its own learns`, () => {
    for (const modalities of setsOf(name)) {
      const model = build(name, modalities).eval(); // without dropout, which draws
      objective(model.forward(batchOf(uneven))).backward();
      for (const [key, { grad }] of model.namedParameters()) {
        // Models that read the text word by word have no use for the one vector.
        if (key.startsWith('text.pool') && grad === null) continue;
        // Tokens that are all equal at first have nothing to scale.
        if (key === 'hyper_layers.0.norm_hyper.weight') continue;
        // Nothing is missing without training: see models-mmsa.test.ts.
        if (name === 'tfr-net' && /^(context|reconstruct)\./.test(key)) continue;
        assert.ok(grad, `${key} of ${modalities} has a gradient`);
        assert.ok(grad.isfinite().all().item(), `${key}: the gradient is finite`);
        assert.ok(grad.ne(0).any().item(), `${key} of ${modalities}: the gradient is not zero`);
      }
    }
  });

  test(`${name}: one utterance of single rows is a batch to train on`, () => {
    const modalities = setsOf(name)[0]!;
    const model = build(name, modalities);
    const output = model.forward(batchOf([[4, { words: 1, audio: 1, vision: 1 }]]));
    const loss = objective(output);
    assert.ok(Number.isFinite(loss.item()));
    loss.backward();
    for (const [key, { grad }] of model.namedParameters()) assert.ok(!grad || grad.isfinite().all().item(), key);
  });

  test(`${name}: weights follow from the seed, those of an encoder from its name`, () => {
    const [first, again, other] = [1, 1, 2].map((seed) => build(name, setsOf(name)[0]!, { seed }).stateDict());
    for (const [key, value] of first!) {
      assert.ok(value.equal(again!.get(key)!), `${key} is drawn again`);
      const constant = value.sub(value.flatten().select(0, 0)).abs().max().item() === 0;
      if (!key.startsWith('text.') && !constant) assert.ok(!value.equal(other!.get(key)!), `${key} of another seed`);
    }
  });

  test(`${name}: learns four labels by heart`, () => {
    const model = build(name, setsOf(name)[0]!).eval(); // without dropout
    const batch = batchOf(uneven);
    const adam = new Adam([...model.parameters()], { lr: 0.02 });
    const step = (): number =>
      scope(() => {
        adam.zeroGrad();
        const loss = model.forward(batch).prediction.sub(batch.label).abs().mean();
        loss.backward();
        adam.step();
        return loss.item();
      });
    const before = step();
    let after = before;
    for (let steps = 1; steps < 100 && after >= before / 3; steps += 1) after = step();
    assert.ok(after < before / 3, `${before} to ${after}`);
  });
}

/** Numbers of parameters, by the shapes of the papers' formulas. */
const linear = (from: number, to: number): number => (from + 1) * to;
const lstm = (from: number, to: number): number => 4 * to * (from + to + 2);
const head = (from: number, hidden: number, to = 1): number =>
  linear(from, hidden) + linear(hidden, hidden) + linear(hidden, to);
interface Dropping {
  readonly dropout: { readonly p: number };
}

const meanSubnet = (rows: number, width: number): number => linear(rows, width) + 2 * linear(width, width);
const attention = (width: number): number => linear(width, 3 * width) + linear(width, width);
const norm = (width: number): number => 2 * width;
const encoderLayer = (width: number, wide: number): number =>
  attention(width) + linear(width, wide) + linear(wide, width) + 2 * norm(width);
const crossmodal = (width: number, layers: number): number => layers * encoderLayer(width, 4 * width) + norm(width);
const almtBlock = (width: number, inside: number, wide: number): number =>
  4 * norm(width) + 3 * width * inside + linear(inside, width) + linear(width, wide) + linear(wide, width);
const gatedRows = (rows: number, hidden: number): number =>
  2 * 3 * hidden * (rows + hidden + 2) + (3 * 2 * hidden + 1) + linear(2 * hidden + rows, hidden);
const twoWay = (from: number, to: number): number => 2 * lstm(from, to);

const subnets = (textOut: number): number =>
  lstm(textWidth, 5) + linear(5, textOut) + meanSubnet(rowWidths.audio, 6) + meanSubnet(rowWidths.vision, 8);
const counts: Readonly<Partial<Record<ModelName, number>>> = {
  'text-only': head(textWidth, 7),
  'ef-lstm': lstm(textWidth + 3 + 2, 6) + lstm(6, 6) + linear(6, 6) + linear(6, 1),
  'lf-dnn': subnets(6) + head(6 + 6 + 8, 7),
  tfn: subnets(2) + head(3 * 7 * 9, 7),
  lmf: subnets(6) + 3 * (7 + 7 + 9) + 3 + 1,
  mult:
    8 * (textWidth * 1 + 3 * 3 + 2 * 4) +
    6 * crossmodal(8, 2) +
    3 * crossmodal(16, 2) +
    2 * linear(48, 48) +
    linear(48, 1),
  misa:
    twoWay(3, 3) +
    norm(6) +
    twoWay(6, 3) +
    (twoWay(2, 2) + norm(4) + twoWay(4, 2)) +
    (linear(textWidth, 8) + linear(12, 8) + linear(8, 8) + 3 * norm(8)) +
    7 * linear(8, 8) +
    encoderLayer(8, 16) +
    (linear(48, 24) + linear(24, 1)),
  'bert-mag':
    linear(textWidth + 3, textWidth) +
    linear(textWidth + 2, textWidth) +
    linear(3, textWidth) +
    linear(2, textWidth) +
    norm(textWidth) +
    linear(textWidth, textWidth) +
    linear(textWidth, 1),
  mmim:
    twoWay(3, 3) +
    linear(6, 4) +
    twoWay(2, 2) +
    linear(4, 5) +
    (2 * (linear(textWidth, 4) + linear(4, 4)) + linear(4, 1)) +
    (2 * (linear(textWidth, 5) + linear(5, 5)) + linear(5, 1)) +
    (linear(7, textWidth) + linear(7, 4) + linear(7, 5)) +
    (linear(textWidth + 4 + 5, 7) + linear(7, 7) + linear(7, 1)),
  tetfn:
    8 * (textWidth * 1 + 3 * 1 + 2 * 3) +
    (lstm(3, 3) + lstm(2, 2)) +
    4 * crossmodal(8, 2) +
    2 * (crossmodal(8, 1) + crossmodal(8, 2)) +
    3 * crossmodal(16, 2) +
    (2 * head(8, 32) + head(8, 16) + head(48, 64)),
  almt:
    linear(textWidth, 8) +
    linear(3, 8) +
    linear(2, 8) +
    3 * (2 * 3 * 8 + almtBlock(8, 10, 12)) +
    (5 + 4 + 6) * 8 +
    (3 * 8 + almtBlock(8, 10, 12)) +
    3 * 8 +
    2 * (4 * norm(8) + 5 * 8 * 8 + linear(8, 8)) +
    (8 + 2 * 4 * 8 + almtBlock(8, 10, 12)) +
    linear(8, 1),
  'tfr-net':
    8 * (textWidth * 1 + 3 * 5 + 2 * 3) +
    9 * crossmodal(8, 1) +
    3 * crossmodal(24, 1) +
    (linear(24, textWidth) + linear(24, 3) + linear(24, 2)) +
    (gatedRows(24, 3) + gatedRows(24, 4) + gatedRows(24, 5)) +
    (norm(12) + linear(12, 6) + linear(6, 1)),
};

test('numbers of parameters are those of the formulas', () => {
  for (const [name, expected] of Object.entries(counts)) {
    const model = build(name as ModelName, name === 'text-only' ? ['text'] : three);
    const own = [...model.namedParameters()].filter(([key]) => !key.startsWith('text.'));
    assert.equal(
      own.reduce((sum, [, parameter]) => sum + parameter.numel, 0),
      expected,
      name,
    );
  }
});

test('self-mm is the shared and private model', () => {
  const [a, b] = (['self-mm', 'shared-private'] as const).map((name) => build(name, three).eval());
  const batch = batchOf(uneven);
  assert.deepEqual(
    noGrad(() => a!.forward(batch).prediction.tolist()),
    noGrad(() => b!.forward(batch).prediction.tolist()),
  );
});

test('vectors of equal width can be aligned, whichever the model', () => {
  const equal = { hidden: { text: 5, audio: 4, vision: 4 }, textOut: 4 };
  for (const name of ['lf-dnn', 'tfn', 'lmf', 'mult', 'misa', 'mmim', 'tetfn', 'almt'] as const) {
    const options = ['mult', 'misa', 'tetfn', 'almt'].includes(name)
      ? small[name]
      : name === 'mmim'
        ? { out: { audio: 6, vision: 6 } }
        : equal;
    const model = buildSentimentModel(name, contextOf(three), options, 1).eval(); // dropout may leave nothing of so few
    const loss = alignmentLoss(model.forward(batchOf(uneven)).features);
    loss.backward();
    const moved = [...model.namedParameters()].filter(([, { grad }]) => grad?.ne(0).any().item()).map(([key]) => key);
    assert.ok(loss.item() > 0);
    for (const encoder of ['text.', 'audio.', 'vision.']) {
      assert.ok(
        moved.some((key) => key.startsWith(encoder)),
        `${name}: ${encoder}`,
      );
    }
  }
});

test('MISA gives its losses weighted, and leaves out those of weight 0', () => {
  const batch = batchOf(uneven);
  const lossesOf = (weights: Record<string, number>): Record<string, number> => {
    const model = buildSentimentModel('misa', contextOf(three), { ...small.misa, weights }, 1).eval();
    const { losses } = noGrad(() => model.forward(batch));
    return Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, loss.item()]));
  };
  const one = lossesOf({ similarity: 1, difference: 1, reconstruction: 1 });
  const other = lossesOf({ similarity: 2, difference: 0, reconstruction: 0.5 });
  assert.deepEqual(Object.keys(one), ['similarity', 'difference', 'reconstruction']);
  assert.deepEqual(Object.keys(other), ['similarity', 'reconstruction']);
  assertNear(other.similarity!, 2 * one.similarity!, 1e-6);
  assertNear(other.reconstruction!, 0.5 * one.reconstruction!, 1e-6);
});

test('MulT begins with Glorot-uniform weights and without biases, as its released code does', () => {
  const model = build('mult', three);
  const layers = [...model.namedParameters()].filter(([key]) => /fc[12]|out_proj|in_proj/.test(key));
  assert.ok(layers.length > 100);
  for (const [key, parameter] of layers) {
    if (key.endsWith('bias')) {
      assert.equal(parameter.abs().max().item(), 0, key);
      continue;
    }
    const [to, from] = parameter.shape as [number, number];
    const bound = Math.sqrt(6 / (to + from));
    const [most, mean] = [parameter.abs().max().item(), parameter.square().mean().item()];
    assert.ok(most <= bound && most > 0.8 * bound, key);
    assert.ok(Math.abs(mean / (bound ** 2 / 3) - 1) < 0.35, key); // the variance of a uniform distribution
  }
});

test("the text's subnet has no dropout, and Self-MM's after its LSTMs can be set apart from its heads'", () => {
  for (const name of ['lf-dnn', 'tfn', 'lmf'] as const) {
    const { text_net, audio } = build(name, three) as unknown as { text_net: Dropping; audio: { drop: { p: number } } };
    assert.deepEqual([text_net.dropout.p, audio.drop.p > 0], [0, true], name);
  }
  const made = (options: object) => {
    const { audio, heads } = buildSentimentModel('self-mm', contextOf(three), { ...options }, 1) as SharedPrivate;
    return [audio!.dropout.p, heads.get('audio').dropout.p];
  };
  assert.deepEqual(made({}), [0.1, 0.1]);
  assert.deepEqual(made({ dropout: { audio: 0.3 } }), [0.3, 0.3]);
  assert.deepEqual(made({ rnnDropout: { audio: 0 } }), [0, 0.1]);
});

test('what a model cannot do is refused in words', () => {
  for (const name of ['tfn', 'lmf', 'mult', 'misa', 'tfr-net'] as const) {
    assert.throws(() => build(name, ['audio']), /Expected two or three modalities for .*, got audio/);
  }
  for (const modalities of [['text'], ['audio', 'vision']] as const) {
    assert.throws(() => build('bert-mag', modalities), /Expected text and one modality or two besides for BERT-MAG/);
  }
  assert.throws(
    () => build('text-only', ['text', 'audio']),
    /Expected modalities to be \['text'\].*got \[text, audio\]/,
  );
  const made = (name: ModelName, options: Record<string, unknown>) => () =>
    buildSentimentModel(name, contextOf(three), options, 1);
  assert.throws(made('lmf', { rnak: 3 }), /Expected options of lmf among hidden, .*rank, got 'rnak'/);
  assert.throws(made('tfn', { post: { width: 3 } }), /among post\.hidden, post\.dropout, got 'post\.width'/);
  assert.throws(made('tfn', { hidden: 3 }), /Expected the option hidden of tfn to be an object, got 3/);
  assert.throws(made('mult', { width: 'wide' }), /option width of mult to be a number, got "wide"/);
  assert.throws(made('mult', { width: 9, heads: 2 }), /numHeads that divides embedDim/);
  assert.throws(made('misa', { dropout: -1 }), /option dropout of misa to be a number from 0, got -1/);
  assert.throws(made('ef-lstm', { align: 'words' }), /align of ef-lstm to be 'pool' or 'none', got 'words'/);
});

test('EF-LSTM without pooling takes aligned rows, and no others', () => {
  const options = { ...small['ef-lstm'], align: 'none' };
  const model = buildSentimentModel('ef-lstm', contextOf(three), options, 1).eval();
  const aligned = [0, 1].map((i) => [i, { words: i + 2, audio: i + 2, vision: i + 2 }] as const);
  const pooling = build('ef-lstm', three).eval();
  // One segment a row: pooling changes nothing.
  assertNear(
    noGrad(() => model.forward(batchOf(aligned, { rows: 6 })).prediction),
    noGrad(() => pooling.forward(batchOf(aligned)).prediction.tolist()) as number[],
    1e-6,
  );
  assert.throws(() => model.forward(batchOf(uneven)), /as many rows of audio as of text, got 7 and 3 \(utterance 0/);
});

test('EF-LSTM reads the text first, in whichever order the modalities are named', () => {
  const [a, b] = [three, ['vision', 'text', 'audio'] as const].map((modalities) => build('ef-lstm', modalities).eval());
  const batch = batchOf(uneven);
  assert.equal(a!.forward(batch).prediction.shape[0], 4);
  assert.doesNotThrow(() => b!.forward(batch));
});
