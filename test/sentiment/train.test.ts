import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DataLoader } from 'headrace/data';
import {
  ablationRows,
  checkSentimentConfig,
  loadModel,
  prepareData,
  type SeedResult,
  type SeedState,
  SeedTrainer,
  type SentimentBatch,
  type SentimentConfig,
  SentimentData,
  sentimentRecipeNames,
  verdict,
  WholeLearner,
} from 'headrace/sentiment';
import { scope, type Tensor } from 'headrace/torch';
import { smallConfig, smallData } from './train-support.js';

async function train(
  config: SentimentConfig,
  data = smallData(),
): Promise<{ result: SeedResult; trainer: SeedTrainer }> {
  const trainer = new SeedTrainer(config, prepareData(config, data), 1);
  return { result: (await trainer.run())!, trainer };
}

/** What two runs must share: all but the clock. */
function outcome({ history, seconds: _, utterancesPerSecond: __, ...rest }: SeedResult): unknown {
  return { ...rest, history: history.map(({ utterancesPerSecond: ___, ...record }) => record) };
}

test('with all weights of the alignment zero the model is Self-MM: equal losses, labels and scores', async () => {
  const aligned = smallConfig('ours', {
    modelOptions: {},
    alignment: { on: 'projected', weights: { 'audio-vision': 0 } },
  });
  // What would be aligned is logged all the same.
  const { history, ...rest } = (await train(aligned)).result;
  const unlogged = { ...rest, history: history.map((record) => ({ ...record, norms: {} })) };
  assert.deepEqual(outcome(unlogged), outcome((await train(smallConfig('self-mm'))).result));
});

test('alignment changes the training and is logged, with the norms of what it aligns', async () => {
  const { history } = (await train(smallConfig('ours'))).result;
  for (const { train: losses, norms } of history) {
    assert.ok(losses.alignment! > 0);
    assert.deepEqual(Object.keys(norms), ['audio', 'vision']);
    const sum = Object.entries(losses).reduce((total, [name, value]) => (name === 'total' ? total : total + value), 0);
    assert.ok(Math.abs(sum - losses.total!) < 1e-5 * losses.total!);
  }
});

test('unimodal losses are exactly zero in epochs 1 and 2, and positive from epoch 3', async () => {
  const { history } = (await train(smallConfig('self-mm'))).result;
  for (const name of ['text', 'audio', 'vision']) {
    const losses = history.map((record) => record.train[`unimodal.${name}`]!);
    assert.deepEqual(losses.slice(0, 2), [0, 0], name);
    assert.ok(
      losses.slice(2).every((loss) => loss > 0),
      `${name}: ${losses}`,
    );
  }
});

test('generated labels stay in epoch 1, move from epoch 2, within the range, for training utterances alone', async () => {
  const { result, trainer } = await train(smallConfig('self-mm'));
  const drifts = result.history.map(({ drift }) => Object.values(drift));
  assert.deepEqual(drifts[0], [0, 0, 0]);
  assert.ok(drifts.slice(1).every((epoch) => epoch.every((drift) => drift > 0)));
  const labels = new Map((trainer.learner as WholeLearner).objective.labels!.entries());
  assert.deepEqual(
    [...labels.keys()].filter((id) => !id.startsWith('train')),
    [],
  );
  assert.equal(labels.size, 24);
  for (const values of labels.values()) for (const value of Object.values(values)) assert.ok(Math.abs(value) <= 3);
});

test('the gradients of a window are summed, and one step is taken for it', async () => {
  const groups = { lr: 1e-3, weightDecay: 0 };
  const config = smallConfig('self-mm', {
    accumulate: 4,
    maxEpochs: 1,
    groups: { text: groups, audio: groups, vision: groups, other: groups },
  });
  const prepared = prepareData(config, smallData());
  const key = 'model.fusion.layer_1.weight';
  const byHand = scope(() => {
    const { network, objective } = new WholeLearner(config, prepared, 1);
    const loader = new DataLoader<SentimentBatch>(prepared.splits.train, { batchSize: 6, shuffle: true, seed: 1 });
    network.train();
    for (let b = 0; b < 4; b++) {
      const batch = loader.batch(0, b);
      const ids = (batch.index.tolist() as number[]).map((place) => prepared.data.utterances[place]!.id);
      network.beginStep(b + 1);
      objective.forward(network.forward(batch), batch, ids).total.backward();
    }
    const weight = new Map(network.namedParameters()).get(key)!;
    return weight.grad!.mul(0.1).data() as Float32Array; // Adam's mean after one step, by its beta of 0.9
  });
  const mean = (await saved(config)).get(`optimizer.${key}.exp_avg`)!.data() as Float32Array;
  for (const [i, value] of mean.entries()) assert.ok(Math.abs(value - byHand[i]!) < 1e-6);
});

/** What a run keeps after its first epoch. */
async function saved(config: SentimentConfig, data = smallData()): Promise<ReadonlyMap<string, Tensor>> {
  let state: SeedState | null = null;
  const save = (next: SeedState): void => {
    state ??= { ...next, tensors: new Map([...next.tensors].map(([key, value]) => [key, value.clone().keep()])) };
  };
  await new SeedTrainer(config, prepareData(config, data), 1).run({ save });
  return state!.tensors;
}

test('batches that fill no window at the end of an epoch are dropped as in the reference, or flushed', async () => {
  // 30 utterances in batches of 6: a window of four batches and one batch more.
  const data = () => smallData({ train: 30, valid: 8, test: 8 });
  const steps = async (leftover: 'drop' | 'flush'): Promise<number> => {
    const state = await saved(smallConfig('self-mm', { accumulate: 4, leftover, maxEpochs: 1 }), data());
    return state.get('optimizer.model.fusion.layer_1.weight.step')!.item();
  };
  assert.deepEqual([await steps('drop'), await steps('flush')], [1, 2]);
});

test('a batch of one utterance trains: the alignment of it is left out', async () => {
  const data = smallData({ train: 7, valid: 4, test: 4 }); // batches of 6 and 1
  const { history } = (await train(smallConfig('ours', { maxEpochs: 2 }), data)).result;
  assert.ok(history.every(({ train: losses }) => Number.isFinite(losses.total)));
});

test('a run that was broken off goes on bit for bit', async () => {
  const config = smallConfig('ours');
  const whole = (await train(config)).result;
  const prepared = prepareData(config, smallData());
  let state: SeedState | null = null;
  const first = new SeedTrainer(config, prepared, 1);
  const stopped = await first.run({
    save: (next) => {
      state = { ...next, tensors: new Map([...next.tensors].map(([key, value]) => [key, value.clone().keep()])) };
    },
    shouldStop: () => state?.epoch === 2,
  });
  assert.equal(stopped, null);
  const resumed = (await new SeedTrainer(config, prepared, 1).run({ from: state }))!;
  assert.deepEqual(outcome(resumed), outcome(whole));
});

test('the epoch is chosen by the validation loss alone, and a run ends when it has not fallen for long', async () => {
  const { result } = await train(smallConfig('self-mm', { maxEpochs: 12, patience: 2 }));
  const losses = result.history.map(({ validLoss }) => validLoss);
  assert.equal(result.bestEpoch, losses.indexOf(Math.min(...losses)) + 1);
  assert.ok(result.epochs === 12 || result.epochs === result.bestEpoch + 2);
  assert.ok(Math.abs(result.valid.mae! - Math.min(...losses)) < 1e-6);
});

test('every recipe of scores trains on the data that it says it needs', async () => {
  for (const name of sentimentRecipeNames.filter((recipe) => recipe !== 'text-classes')) {
    const { history, test: scores } = (await train(smallConfig(name, { maxEpochs: 1 }))).result;
    assert.equal(history.length, 1, name);
    assert.ok(Number.isFinite(scores.mae), name);
  }
});

test('classes are trained by cross-entropy and scored by F1', async () => {
  const scored = smallData();
  const utterances = scored.utterances.map((item) => ({ ...item, label: null, class: item.label! > 0 ? 1 : 0 }));
  const data = new SentimentData({ name: 'classes', utterances, classes: ['bad', 'good'] });
  const { result, trainer } = await train(smallConfig('text-classes', { maxEpochs: 2 }), data);
  assert.deepEqual(Object.keys(result.test), ['accuracy', 'weightedF1', 'macroF1']);
  assert.equal(trainer.network.stateDict().get('model.head.layer_3.weight')!.shape[0], 2);
  assert.throws(
    () => checkSentimentConfig({ ...smallConfig('self-mm'), task: 'classification' }),
    /Labels of single modalities are generated from scores/,
  );
});

test('vectors drawn at random cannot be kept as they are', async () => {
  const config = smallConfig('self-mm', { text: { kind: 'words', vectors: null, tuneVectors: false } });
  await assert.rejects(train(config), /got text.vectors null with text.tuneVectors false/);
});

test('two seeds differ, one seed repeats', async () => {
  const config = smallConfig('self-mm', { maxEpochs: 2 });
  const run = async (seed: number) =>
    outcome((await new SeedTrainer(config, prepareData(config, smallData()), seed).run())!);
  assert.deepEqual(await run(1), await run(1));
  assert.notDeepEqual(await run(1), await run(2));
});

test('a model that learns does better than the mean of the training labels', async () => {
  const config = smallConfig('self-mm', { maxEpochs: 40, patience: 40 });
  const data = smallData({ train: 120, valid: 24, test: 40 });
  const labels = (split: 'train' | 'test') => data.indices(split).map((i) => data.utterances[i]!.label!);
  const mean = labels('train').reduce((sum, x) => sum + x, 0) / 120;
  const constant = labels('test').reduce((sum, x) => sum + Math.abs(x - mean), 0) / 40;
  const { test: reached } = (await train(config, data)).result;
  assert.ok(reached.mae! < 0.5 * constant, `${reached.mae} against ${constant}`);
});

test('the ablation grid has all rows, equal ones once, and Self-MM first', () => {
  const rows = ablationRows(smallConfig('ours'), ['losses', 'pairs', 'lambda', 'tasks']);
  const names = rows.map(({ name }) => name);
  assert.deepEqual(names.slice(0, 4), ['L2+L1', 'L2', 'L2+L3', 'L2+L1+L3']);
  assert.equal(names.filter((name) => name.startsWith('pairs')).length, 6);
  assert.equal(names.filter((name) => name.startsWith('lambda')).length, 4);
  assert.equal(names.filter((name) => name.startsWith('tasks')).length, 6);
  assert.deepEqual(
    rows.slice(0, 4).map(({ also }) => also),
    [['tasks M+T+A+V'], ['tasks M'], [], ['pairs AV', 'lambda 1']],
  );
  assert.equal(rows[0]!.config.alignment, null);
  assert.deepEqual(rows.find(({ name }) => name === 'pairs TA,AV')!.config.alignment!.weights, {
    'text-audio': 1,
    'audio-vision': 1,
  });
});

test('rows of branches are the joint ones and the same by branches; what these cannot train is refused before all work', () => {
  const branches = ablationRows(smallConfig('ours'), ['branches']);
  assert.deepEqual(
    branches.map(({ name, config }) => [name, config.schedule, config.alignment !== null]),
    [
      ['L2+L1', 'bp', false],
      ['L2+L1+L3', 'bp', true],
      ['branches', 'ppll', false],
      ['branches aligned', 'ppll', true],
    ],
  );
  const projected = { on: 'projected', weights: { 'text-audio': 1 } } as const;
  assert.throws(
    () => ablationRows(smallConfig('ours', { alignment: projected }), ['branches']),
    /projections belong to no branch/,
  );
});

test('rows of kinds differ in the alignment alone, and each of its losses trains', async () => {
  const rows = ablationRows(smallConfig('ours', { maxEpochs: 1 }), ['kinds']);
  assert.deepEqual(
    rows.map(({ name }) => name),
    ['L2+L1', 'kind covariance', 'kind correlation', 'kind cca', 'kind contrastive'],
  );
  const others = rows.map(({ config: { alignment: _, ...rest } }) => JSON.stringify(rest));
  assert.equal(new Set(others).size, 1);
  const losses: number[] = [];
  for (const { config } of rows.slice(1)) losses.push((await train(config)).result.history[0]!.train.alignment!);
  assert.ok(losses.every((loss) => loss > 0) && new Set(losses).size === 4, `${losses}`);
});

test('the verdict says no difference unless a row passes the test after correction', () => {
  const outcomeOf = (name: string, p: number | null, mean = -0.1) => ({
    name,
    results: [],
    difference: p === null ? null : { mean, interval: [0, 0] as const, p },
  });
  assert.match(verdict([outcomeOf('a', null), outcomeOf('b', 0.03), outcomeOf('c', 0.9)]), /^No difference/);
  assert.match(
    verdict([outcomeOf('a', null), outcomeOf('b', 0.01), outcomeOf('c', 0.9)]),
    /b is better \(MAE -0.1000\)/,
  );
  assert.match(verdict([outcomeOf('a', null), outcomeOf('b', Number.NaN)]), /^No difference/);
});

test('the folder of something else is no sentiment model', () => {
  assert.throws(
    () => loadModel('/nowhere'),
    /Expected the folder of a sentiment model with a config.json, got \/nowhere/,
  );
});
