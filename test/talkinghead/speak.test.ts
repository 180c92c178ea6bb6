/** StyleGAN2's networks, IRFD's losses and its training. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getNumThreads, ops, randn, scope, setNumThreads, type Tensor, tensor, zeros } from 'headrace';
import { readImage } from 'headrace/media';
import { functional as F } from 'headrace/nn';
import { readRun } from 'headrace/pipeline';
import {
  Chance,
  type Coder,
  discriminatorLoss,
  drawExchanges,
  type ExactExchanges,
  evaluateIrfd,
  exchange,
  type Faces,
  type Factor,
  faceWeights,
  factors,
  fitProbe,
  generatorLoss,
  Irfd,
  IrfdTrainer,
  irfdLosses,
  type LossMode,
  loadFaces,
  loadIrfd,
  makeSyntheticSet,
  type PairBatch,
  PairSource,
  PatchDiscriminator,
  printedIdentity,
  r1,
  readIrfdConfig,
  repairedIdentity,
  shapeOf,
  spreads,
  swapFaces,
  type TrainState,
  trainIrfd,
} from 'headrace/talkinghead';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-speak-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});

const set = join(folder, 'set');
let faces: Faces;
before(async () => {
  await makeSyntheticSet(set, { seed: 4, count: 8, people: 4, frames: 2, fps: 3, size: 16 });
  faces = (await loadFaces(set, 16, 2))!;
});

const tiny = {
  size: 16,
  encoder: { depth: 10, width: 4 },
  codes: { identity: 6, emotion: 5, pose: 4 },
  style: 8,
  channels: 8,
  budget: 64,
  testPeople: 2,
  pairs: 4,
  exchanges: 2,
  steps: 6,
  keepEvery: 2,
} as const;

/** Codes are the picture's own channels: red who, green how, blue where. Nothing is lost, and nothing leaks. */
const perfect: Coder = {
  encode: (x) => ({
    identity: x.narrow(1, 0, 1).flatten(1),
    emotion: x.narrow(1, 1, 1).flatten(1),
    pose: x.narrow(1, 2, 1).flatten(1),
  }),
  decode: ({ identity, emotion, pose }) => ops.stack([identity, emotion, pose], 1).reshape([-1, 3, 1, 2]),
  // Of two emotions, whose codes are (1, 0) and (0, 1).
  classify: (emotion) => emotion.mul(40),
};

/** Rows of S, then of T: who, how, where, of two numbers each. */
function madeBatch(factor: Factor, rows: readonly (readonly number[])[]): PairBatch {
  const pictures = tensor(rows.flat(), { shape: [rows.length, 3, 1, 2] });
  const other = (i: number): readonly number[] => rows[(i + rows.length / 2) % rows.length]!;
  const at = factors.indexOf(factor);
  const truth = rows.flatMap((row, i) => row.map((value, k) => (k >> 1 === at ? other(i)[k]! : value)));
  return {
    factor,
    pictures,
    views: {},
    emotions: tensor(BigInt64Array.from(rows, (row) => BigInt(row[3]!))),
    same: [false],
    truth: tensor(truth, { shape: [rows.length, 3, 1, 2] }),
    known: rows.map(() => true),
    weights: null,
  };
}

const partsOf = (coder: Coder, batch: PairBatch, mode: LossMode): Record<string, number> =>
  Object.fromEntries(
    Object.entries(irfdLosses(coder, batch, exchange(coder, batch), mode, 0.2)).map(([name, part]) => [
      name,
      part.item(),
    ]),
  );

test('a model without a fault has no loss, whatever is exchanged; the printed one for identity stays', () => {
  const rows = [
    [3, 1, 1, 0, 5, 6],
    [7, 8, 0, 1, 2, 9],
  ];
  for (const factor of factors) {
    scope(() => {
      for (const [name, value] of Object.entries(partsOf(perfect, madeBatch(factor, rows), 'repaired')))
        assert.ok(value < 1e-5, `${factor}: ${name} ${value}`);
      const { identity, ...rest } = partsOf(perfect, madeBatch(factor, rows), 'literal');
      for (const [name, value] of Object.entries(rest)) assert.ok(value < 1e-5, `${factor}: ${name} ${value}`);
      assert.ok(Math.abs(identity! - 0.2) < 1e-5);
    });
  }
});

test('a decoder that keeps a code of the exchange is found out by that loss alone', () => {
  const rows = [
    [3, 1, 1, 0, 5, 6],
    [7, 8, 0, 1, 2, 9],
  ];
  // Pictures out of the pose that they had before: of four rows, the last two are the exchanged ones.
  const deaf: Coder = {
    ...perfect,
    decode: (codes) => {
      const own = codes.pose.narrow(0, 0, 2);
      return perfect.decode({ ...codes, pose: ops.cat([own, own], 0) });
    },
  };
  scope(() => {
    const { pose, exact, self, identity, emotion, classification } = partsOf(deaf, madeBatch('pose', rows), 'repaired');
    // Of (5, 6) and (2, 9) the distance is the root of 18; six numbers a picture, of which two differ by 3 each.
    assert.ok(Math.abs(pose! - Math.sqrt(18)) < 1e-5);
    assert.ok(Math.abs(exact! - 1) < 1e-6);
    for (const value of [self, identity, emotion, classification]) assert.ok(value! < 1e-5);
    // Printed, the sum over S and T.
    assert.ok(Math.abs(partsOf(deaf, madeBatch('pose', rows), 'literal').pose! - 2 * Math.sqrt(18)) < 1e-5);
  });
});

test('pixels of the inner face count more, in a fake where the head is whose pose it has', () => {
  // Two people in pictures of 4 x 4 pixels, whose inner faces are two pixels, one above the other.
  const settings = { size: 4 };
  const box = (left: number): number[] =>
    Array.from({ length: 136 }, (_, i) => (i % 2 ? i % 3 : left + (i % 4 ? 0 : 1)));
  const labels = [0, 2].map((left) => ({ landmarks: box(left).map((value, i) => (i < 34 ? 0 : value)) }));
  scope(() => {
    const weights = faceWeights({ labels, settings }, [0, 1], 2);
    // Of 16 pixels 2 count three times: 20 in all.
    const [inside, outside] = [(3 * 16) / 20, 16 / 20];
    const rows = weights.tolist() as number[][][][];
    for (const [i, left] of [0, 2].entries())
      for (const [y, row] of rows[i]![0]!.entries())
        for (const [x, value] of row.entries())
          assert.ok(Math.abs(value - (x === left && y < 2 ? inside : outside)) < 1e-6, `${i}: ${x}, ${y}`);
  });
});

test('what counts more in a picture counts more in its losses', () => {
  const rows = [
    [3, 1, 1, 0, 5, 6],
    [7, 8, 0, 1, 2, 9],
  ];
  const weights = tensor([2, 0, 0.5, 1.5], { shape: [2, 1, 1, 2] });
  const twice: Coder = { ...perfect, decode: (codes) => perfect.decode({ ...codes, pose: codes.pose.mul(2) }) };
  scope(() => {
    // The poses (5, 6) and (2, 9), a third of the colours each, are off by themselves: once S counts by (2, 0) and T by (0.5, 1.5),
    const own = (5 * 2 + 2 * 0.5 + 9 * 1.5) / 12;
    // and exchanged each has the place of the other, and counts there.
    for (const factor of factors) {
      const { self, exact } = partsOf(twice, { ...madeBatch(factor, rows), weights }, 'repaired');
      assert.ok(Math.abs(self! - own) < 1e-6);
      assert.ok(Math.abs(exact! - own) < 1e-6, `${factor}: ${exact} ${own}`);
    }
  });
});

test('the printed loss of identity pushes T away from its own person, the repaired one draws both near', () => {
  const codes = tensor([0, 0, 10, 0], { shape: [2, 2] });
  const again = tensor([3, 4, 10, 2], { shape: [2, 2] });
  const near = (rows: Tensor, expected: number[]): void => {
    for (const [i, value] of (rows.tolist() as number[]).entries()) assert.ok(Math.abs(value - expected[i]!) < 1e-5);
  };
  scope(() => {
    near(printedIdentity(codes, again, 0.5), [5 - 2 + 0.5]);
    // S is 5 from its own fake and √104 from the other; T is 2 and √(49 + 16) from them.
    near(repairedIdentity(codes, again, [false], 0.5), [0, 0]);
    near(repairedIdentity(codes, again, [false], 7), [5 - Math.sqrt(104) + 7, 2 - Math.sqrt(65) + 7]);
    near(repairedIdentity(codes, again, [true], 7), [5, 2]);
    const moved = again.clone();
    moved.requiresGrad = true;
    printedIdentity(codes, moved, 0.5).sum().backward();
    assert.ok((moved.grad!.tolist() as number[][])[1]![1]! < 0); // down this slope T's fake goes further away
  });
});

test('targets of the repaired losses are not drawn to the fakes, printed ones are', () => {
  const codesGrad = (mode: LossMode): number => {
    const x = tensor([3, 1, 1, 0, 5, 6, 7, 8, 0, 1, 2, 9], { shape: [2, 3, 1, 2] });
    x.requiresGrad = true;
    const batch = {
      ...madeBatch('pose', [
        [3, 1, 1, 0, 5, 6],
        [7, 8, 0, 1, 2, 9],
      ]),
      pictures: x,
    };
    const made = exchange(perfect, batch);
    const again = { ...made.again, pose: zeros([2, 2]) };
    irfdLosses(perfect, batch, { ...made, again }, mode, 0.2).pose.backward();
    return x.grad === null ? 0 : x.grad.abs().sum().item();
  };
  scope(() => {
    assert.throws(() => codesGrad('repaired'), /does not require grad/);
    assert.ok(codesGrad('literal') > 0);
  });
});

test('codes that say the same of everything have no spread', () => {
  scope(() => {
    const varied = tensor([1, -1, -1, 1], { shape: [2, 2] });
    const told = spreads({ identity: zeros([2, 2]).add(3), emotion: varied, pose: varied.mul(5) });
    assert.equal(told['spread.identity'], 0);
    assert.ok(Math.abs(told['spread.emotion'] - Math.SQRT2) < 1e-6);
    assert.ok(Math.abs(told['spread.pose'] - Math.SQRT2) < 1e-6);
  });
});

let drawn: ExactExchanges;

test('an exchange of a frame with itself is the picture of the set, byte by byte', async () => {
  const selves = [0, 1, 5].flatMap((a) => factors.map((factor) => ({ a, b: a, factor })));
  const others = factors.map((factor) => ({ a: 1, b: 8, factor }));
  drawn = (await drawExchanges(faces, [...others, ...selves]))!;
  const differs = (i: number): boolean => {
    const picture = faces.pictures.select(0, drawn.list[i]!.a);
    return drawn.pictures.select(0, i).ne(picture).any().item() !== 0;
  };
  assert.deepEqual(
    [...drawn.list.keys()].filter((i) => differs(i)),
    [0, 1, 2],
  );
});

test('every loss of the training reaches all three encoders', () => {
  scope(() => {
    const model = new Irfd(shapeOf(readIrfdConfig('standard', tiny)));
    const pictures = faces.pictures.narrow(0, 0, 4).to({ dtype: 'float32' }).div(127.5).sub(1);
    const emotions = tensor(BigInt64Array.of(1n, 2n, 3n, -1n));
    const batch: PairBatch = {
      factor: 'pose',
      pictures,
      views: {},
      emotions,
      same: [false, true],
      truth: null,
      known: [],
      weights: null,
    };
    for (const name of ['self', 'identity', 'emotion', 'pose'] as const) {
      irfdLosses(model, batch, exchange(model, batch), 'literal', 0.2)[name].backward();
      for (const factor of factors) {
        const grads = [...model[factor].parameters()].map(({ grad }) => grad?.abs().sum().item() ?? 0);
        assert.ok(Math.max(...grads) > 0, `${name} to ${factor}`);
      }
      model.zeroGrad();
    }
  });
});

test('encoders of emotion and pose see other colours, that of emotion another place; what is to be made stays as it is', () => {
  scope(() => {
    const config = readIrfdConfig('standard', tiny);
    const source = new PairSource(faces, drawn);
    const plain = source.draw({ ...config, augment: false }, new Chance(5));
    const changed = source.draw(config, new Chance(5));
    assert.deepEqual(plain.views, {});
    for (const same of ['pictures', 'truth', 'emotions'] as const)
      assert.deepEqual(changed[same]!.tolist(), plain[same]!.tolist(), same);
    const { pose, emotion } = changed.views;
    assert.equal(changed.views.identity, undefined);
    // Other colours are a number times and a number more, channel by channel.
    const channel = (x: Tensor): Tensor => x.select(0, 0).select(0, 1).flatten();
    const [from, to] = [channel(changed.pictures), channel(pose!)];
    const centred = (x: Tensor): Tensor => x.sub(x.mean());
    const alike = F.cosineSimilarity(centred(from).unsqueeze(0), centred(to).unsqueeze(0)).item();
    assert.ok(alike > 0.9999 && from.sub(to).abs().max().item() > 0.01, `${alike}`);
    const moved = F.cosineSimilarity(centred(from).unsqueeze(0), centred(channel(emotion!)).unsqueeze(0)).item();
    assert.ok(moved < 0.999, `${moved}`);
    // Each half of two replicas sees what one alone sees.
    const half = source.draw(config, new Chance(5), { index: 1, count: 2 });
    const rows = [1, 3, 5, 7].map((row) => pose!.select(0, row).tolist());
    assert.deepEqual(half.views.pose!.tolist(), rows);
  });
});

test('in bfloat16 it learns nearly the same', async () => {
  const first = async (changes: object): Promise<number> => {
    const config = readIrfdConfig('standard', { ...tiny, steps: 1, keepEvery: 1, ...changes });
    return (await new IrfdTrainer(config, faces, drawn).run())![0]!.loss.total!;
  };
  const [exact, half] = [await first({}), await first({ compute: 'bfloat16' })];
  assert.ok(half !== exact && Math.abs(half - exact) < 0.02 * exact, `${half}, ${exact}`);
});

const weightsOf = (trainer: IrfdTrainer): Float32Array[] =>
  [...trainer.model.stateDict()].map(
    ([, value]) => new Float32Array(value.to({ dtype: 'float32' }).data() as Float32Array),
  );

test('training is broken off and gone on with to the same weights, bit for bit, in both modes and with a discriminator', async () => {
  const ways = [
    ['standard', tiny],
    ['literal', { ...tiny, exchanges: 0 }],
    ['standard', { ...tiny, 'gan.weight': 0.1, 'gan.width': 2, 'gan.layers': 2, 'gan.gammaEvery': 2 }],
  ] as const;
  for (const [recipe, changes] of ways) {
    const config = readIrfdConfig(recipe, changes);
    const whole = new IrfdTrainer(config, faces, drawn);
    const history = (await whole.run())!;
    assert.deepEqual(
      history.map(({ step }) => step),
      [2, 4, 6],
    );
    let kept: TrainState | null = null;
    let done = 0;
    const first = new IrfdTrainer(config, faces, drawn);
    const stopped = await first.run({
      save: (state) => {
        const tensors = new Map([...state.tensors].map(([key, value]) => [key, value.clone()]));
        kept = { ...state, tensors };
      },
      onStep: () => done++,
      shouldStop: () => done >= 3,
    });
    assert.equal(stopped, null);
    assert.equal(kept!.step, 3);
    const second = new IrfdTrainer(config, faces, drawn);
    await second.run({ from: kept });
    assert.deepEqual(weightsOf(second), weightsOf(whole));
    const plain = (trainer: IrfdTrainer): unknown[] => [...trainer.tensors().values()].map((each) => each.tolist());
    assert.deepEqual(plain(second), plain(whole));
    assert.equal('discriminator' in history[0]!.loss, 'gan.weight' in changes);
  }
});

test('a loss that is not finite ends a training before it touches the weights', async () => {
  const trainer = new IrfdTrainer(readIrfdConfig('standard', { ...tiny, keepEvery: 1, lr: 1e30 }), faces, drawn);
  let kept: Float32Array[] = [];
  const run = trainer.run({
    save: () => {
      kept = weightsOf(trainer);
    },
  });
  await assert.rejects(run, /the loss is not finite; lower the learning rate/);
  const parameters = new Set([...trainer.model.namedParameters()].map(([name]) => name));
  const names = [...trainer.model.stateDict().keys()];
  assert.ok(kept.length > 0);
  for (const [i, weights] of weightsOf(trainer).entries())
    if (parameters.has(names[i]!)) assert.deepEqual(weights, kept[i], names[i]);
});

test('the discriminator learns to tell, and what it judges to be taken for true: each loss by its formula', () => {
  scope(() => {
    const maps = (...rows: number[][]): Tensor[] => rows.map((row) => tensor(row, { shape: [1, 1, 1, row.length] }));
    const [real, fake] = [maps([2, -1], [0.5]), maps([-3, 0], [1])];
    const log = Math.log;
    const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
    const near = (value: Tensor, expected: number): void => assert.ok(Math.abs(value.item() - expected) < 1e-6);
    // Equation 10: the mean of each scale, then of the scales.
    const trueness = (log(sigma(2)) + log(sigma(-1))) / 2 + log(sigma(0.5));
    const falseness = (log(1 - sigma(-3)) + log(1 - sigma(0))) / 2 + log(1 - sigma(1));
    for (const kind of ['printed', 'logistic'] as const)
      near(discriminatorLoss(kind, real, fake), -(trueness + falseness) / 2);
    near(generatorLoss('printed', fake), falseness / 2);
    near(generatorLoss('logistic', fake), -((log(sigma(-3)) + log(sigma(0))) / 2 + log(sigma(1))) / 2);
    near(discriminatorLoss('hinge', real, fake), ((0 + 2) / 2 + 0.5) / 2 + ((0 + 1) / 2 + 2) / 2);
    near(generatorLoss('hinge', fake), (1.5 - 1) / 2);
  });
});

test('R1 is the squared slope of the scores at true pictures, by finite differences', () => {
  scope(() => {
    const discriminator = new PatchDiscriminator({ scales: 2, layers: 1, width: 2 }, true, { dtype: 'float64' });
    const [x, person] = [randn([2, 3, 8, 8], { dtype: 'float64' }), randn([2, 3, 8, 8], { dtype: 'float64' })];
    const score = (pictures: Tensor): number =>
      discriminator
        .forward(pictures, person)
        .map((map) => map.mean([1, 2, 3]).sum().item())
        .reduce((a, b) => a + b);
    const step = 1e-5;
    const flat = x.flatten();
    let sum = 0;
    for (let i = 0; i < flat.numel; i++) {
      const at = (by: number): number => {
        const moved = flat.clone();
        moved.narrow(0, i, 1).add_(by);
        return score(moved.reshape(x.shape));
      };
      sum += ((at(step) - at(-step)) / (2 * step)) ** 2;
    }
    assert.ok(Math.abs(r1(discriminator, x, person).item() - sum / 2) < 1e-6);
    assert.throws(() => discriminator.forward(x), /of the persons beside those to be judged/);
  });
});

test('a run keeps its settings, course, events, sheet and model, and its model is found again', async () => {
  const out = join(folder, 'run');
  const config = readIrfdConfig('standard', tiny);
  let stop = false;
  // As a signal does: it is heard when the program comes to listen.
  const signal = (what: string): unknown => what === 'training' && setImmediate(() => (stop = true));
  const broken = await trainIrfd(config, { data: set, out, onProgress: signal, shouldStop: () => stop });
  assert.equal(broken, null);
  const none = join(folder, 'none');
  await assert.rejects(trainIrfd(config, { data: none, out: none }), /set\.json/);
  assert.ok(!existsSync(none));
  await assert.rejects(trainIrfd(config, { data: set, out }), /holds a run already: resume it/);
  await assert.rejects(trainIrfd({ ...config, lr: 1 }, { data: set, out, resume: true }), /its settings are.*lr/);
  const result = (await trainIrfd(config, { data: set, out, resume: true }))!;
  const events = readRun(out).map((event) => [event.type, 'step' in event ? event.step : null].join(' '));
  assert.deepEqual(events.slice(0, 4), ['start 0', 'step 1', 'checkpoint 1', 'start 1']);
  assert.deepEqual(events.slice(-2), ['checkpoint 6', 'sheet 6']);
  assert.ok(existsSync(join(out, 'sheets', '6.png')));
  const { model, config: found } = loadIrfd(out);
  assert.deepEqual(found, config);
  const x = zeros([2, 3, 16, 16]);
  assert.deepEqual((await readImage(result.sheet)).width, 6 * 18 - 2);
  assert.deepEqual(model.forward(x).shape, [2, 3, 16, 16]);
  assert.deepEqual(model.forward(x).tolist(), loadIrfd(result.model).model.forward(x).tolist());
});

test('what is measured: exact pictures are without fault, and nothing exchanged is far from them', async () => {
  const few = { each: 3, judgeSteps: 5 };
  const out = join(folder, 'run');
  const found = (await evaluateIrfd(out, set, few))!;
  assert.equal(found.exchanges.identity + found.exchanges.emotion + found.exchanges.pose, 12);
  assert.deepEqual(found.chance.identity, 0.5);
  for (const factor of factors) {
    const { made, exact, unchanged } = found.matrix[factor];
    assert.equal(exact.pixels, 0);
    assert.ok(unchanged.pixels > 1 && made.pixels > 1, factor);
  }
  assert.ok(existsSync(join(set, 'judge.safetensors')));
});

test('a probe finds a linear map, and its figures are shares of what there is to tell', () => {
  scope(() => {
    const x = tensor([0, 1, 1, 0, 2, 1, 3, 5, 4, 2, 1, 1], { shape: [6, 2] });
    const y = x.matmul(tensor([2, -1], { shape: [2, 1] })).add(3);
    const told = fitProbe(x, y).predict(x);
    assert.ok(told.sub(y).abs().max().item() < 0.1);
    // One feature of variance 1, like its target: the penalty of 0.01 is added to what the map is divided by.
    const one = tensor([1, -1], { shape: [2, 1] });
    assert.ok(Math.abs(fitProbe(one, one).predict(one).select(0, 0).item() - 1 / 1.01) < 1e-6);
  });
});

test('faces that are exchanged with themselves stay; each face is changed in a row of its own', () => {
  const model = new Irfd(shapeOf(readIrfdConfig('standard', tiny))).eval();
  const image = (bright: number) => ({ width: 20, height: 16, data: new Uint8Array(3 * 20 * 16).fill(bright) });
  const same = swapFaces(model, image(90), image(90));
  assert.deepEqual([same.width, same.height], [6 * 18 - 2, 2 * 18 - 2]);
  const column = (grid: typeof same, row: number, at: number): number[] => {
    const from = 3 * (18 * row * grid.width + 18 * at);
    return [...grid.data.slice(from, from + 3 * 16)];
  };
  for (const at of [3, 4, 5]) assert.deepEqual(column(same, 0, at), column(same, 0, 2));
  const other = swapFaces(model, image(90), image(200), ['pose']);
  assert.deepEqual(
    [other.width, column(other, 0, 0), column(other, 0, 1)],
    [4 * 18 - 2, column(other, 1, 1), column(other, 1, 0)],
  );
  assert.throws(
    () => swapFaces(model, image(1), image(2), ['hair' as Factor]),
    /among identity, emotion, pose, got hair/,
  );
});

test('settings that cannot be are refused', () => {
  assert.throws(
    () => readIrfdConfig('standard', { 'encoder.depth': 12 }),
    /encoder.depth among 10, 18, 34, 50, got 12/,
  );
  assert.throws(() => readIrfdConfig('standard', { exactShare: 0.9 }), /to be 1 at most together/);
  assert.throws(() => readIrfdConfig('standard', { exchanges: 0 }), /Expected exchanges of 1 or more/);
  assert.throws(() => readIrfdConfig('standard', { size: 48 }), /a power of two from 8 on, got 48/);
  assert.throws(() => readIrfdConfig('standard', { mode: 'mended' }), /one of literal, repaired/);
  assert.equal(readIrfdConfig('paper').encoder.depth, 50);
});
