// Branches that learn by their own losses, in turns and each on its thread: the same numbers, and one clear error.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataLoader } from 'headrace/data';
import { Adam } from 'headrace/optim';
import { readRun } from 'headrace/pipeline';
import {
  alignmentLoss,
  beginFolder,
  loadModel,
  loadSentiment,
  predictSplit,
  prepareData,
  type SeedOptions,
  type SeedResult,
  SeedRuns,
  type SeedState,
  SeedTrainer,
  type SentimentConfig,
  type SentimentSource,
  type SharedPrivate,
} from 'headrace/sentiment';
import { cat, type Tensor } from 'headrace/torch';
import { smallConfig, smallData } from './train-support.js';

/** Batches of 7 leave one of 3 at the end of an epoch of 24. */
function branchConfig(change: Partial<SentimentConfig> = {}): SentimentConfig {
  return smallConfig('self-mm', { schedule: 'ppll', batchSize: 7, ...change });
}

interface Outcome {
  readonly result: SeedResult;
  readonly weights: ReadonlyMap<string, Uint8Array>;
}

async function train(
  config: SentimentConfig,
  options: SeedOptions = {},
  from: SeedState | null = null,
): Promise<Outcome> {
  const trainer = new SeedTrainer(config, prepareData(config, smallData()), 1, options);
  const result = await trainer.run({ from });
  assert.ok(result);
  return { result, weights: new Map([...trainer.network.stateDict()].map(([key, value]) => [key, value.bytes()])) };
}

/** What two runs must share: all but the clock. */
function timeless({ result, weights }: Outcome): unknown {
  const { history, seconds: _, utterancesPerSecond: __, ...rest } = result;
  return { ...rest, weights, history: history.map(({ utterancesPerSecond: ___, ...record }) => record) };
}

for (const modalities of [
  ['text', 'audio', 'vision'],
  ['text', 'audio'],
] as const) {
  test(`${modalities.length} branches on threads give the bits of branches in turns, however late they are`, async () => {
    const config = branchConfig({ modalities, accumulate: 2 });
    const turns = timeless(await train({ ...config, schedule: 'sequential' }));
    assert.deepEqual(timeless(await train(config)), turns);
    assert.deepEqual(timeless(await train(config, { faults: { delayMs: 6 } })), turns);
  });
}

/** Every modality with every other, by features as wide as the text's. */
const aligned: Partial<SentimentConfig> = {
  modelOptions: { out: { audio: 16, vision: 16 } },
  alignment: { on: 'feature', weights: { 'audio-vision': 3, 'text-audio': 0.5, 'vision-text': 0 } },
};

test('branches that are aligned give the bits of turns, too, and say how far apart they are', async () => {
  for (const loss of ['covariance', 'contrastive'] as const) {
    const config = branchConfig({ ...aligned, alignment: { ...aligned.alignment!, loss }, maxEpochs: 2 });
    const turns = await train({ ...config, schedule: 'sequential' });
    assert.deepEqual(timeless(await train(config, { faults: { delayMs: 6 } })), timeless(turns));
    const { train: losses } = turns.result.history[0]!;
    assert.ok(losses.alignment! > 0);
    const { total, ...parts } = losses as Record<string, number>;
    assert.ok(Math.abs(Object.values(parts).reduce((sum, part) => sum + part) - total!) < 1e-9);
  }
  const post = branchConfig({ alignment: { on: 'post', weights: { 'text-vision': 1 } }, maxEpochs: 1 });
  assert.ok((await train(post)).result.history[0]!.train.alignment! > 0);
});

/** The losses of {@link alignmentLoss} on features whose gradients all flow, as joint training has them. */
const joint = (features: Readonly<Record<string, Tensor>>, { alignment }: SentimentConfig): Tensor | null =>
  alignment && alignmentLoss(features, { weights: alignment.weights, loss: alignment.loss ?? 'covariance' });

for (const [title, change] of [
  ['an epoch of branches is that of the whole network with the features cut off before the fusion', {}],
  ['aligned branches move as joint training moves them, though no gradient crosses', aligned],
  [
    'so they do where alignment knows the pairs',
    { ...aligned, alignment: { ...aligned.alignment!, loss: 'contrastive' } },
  ],
] as const satisfies readonly (readonly [string, Partial<SentimentConfig>])[])
  test(title, async () => {
    const rate = { lr: 1e-2, weightDecay: 0 };
    const options = { ...('modelOptions' in change ? change.modelOptions : {}), statistics: true };
    const config = branchConfig({
      ...change,
      maxEpochs: 1,
      text: { kind: 'words', vectors: null, width: 16, heads: 2, dropout: 0, wordDropout: 0 },
      modelOptions: { ...options, dropout: { text: 0, audio: 0, vision: 0, multimodal: 0 } },
      groups: { text: rate, audio: rate, vision: rate, other: rate },
    });
    const { weights } = await train(config);
    const prepared = prepareData(config, smallData());
    const { network } = new SeedTrainer({ ...config, schedule: 'bp' }, prepared, 1);
    const model = network.model as SharedPrivate;
    const optimizer = new Adam(
      [...model.namedParameters()].filter(([, parameter]) => parameter.requiresGrad),
      rate,
    );
    const loader = new DataLoader(prepared.splits.train, { batchSize: 7, shuffle: true, seed: 1 });
    const error = (guess: Tensor, label: Tensor) => guess.sub(label).abs().mean();
    for (const batch of loader.batches(0)) {
      const { features, unimodal } = network.forward(batch);
      const cut = Object.values(features).map((feature) => feature.detach());
      const whole = error(model.fusion.forward(cat(cut, 1)).prediction, batch.label);
      const alone = Object.values(unimodal).reduce((sum, guess) => sum.add(error(guess, batch.label)), whole);
      const apart = joint(features as Record<string, Tensor>, config);
      (apart ? alone.add(apart) : alone).backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
    for (const [key, value] of network.stateDict()) {
      const own = new Float32Array(weights.get(key)!.slice().buffer);
      const far = Math.max(...[...(value.data() as Float32Array)].map((x, i) => Math.abs(x - own[i]!)));
      assert.ok(far < 1e-5, `${key}: ${far}`);
    }
  });

test('labels stay in epoch 1, move from epoch 2, and each branch learns from the first epoch on', async () => {
  const config = branchConfig({ maxEpochs: 5 });
  const { result, weights } = await train(config);
  const drifts = result.history.map(({ drift }) => Object.values(drift));
  assert.deepEqual(drifts[0], [0, 0, 0]);
  assert.ok(drifts.slice(1).every((epoch) => epoch.every((drift) => drift > 0)));
  for (const { train: losses } of result.history) {
    for (const name of ['text', 'audio', 'vision']) assert.ok(losses[`unimodal.${name}`]! > 0);
  }
  const fresh = new SeedTrainer({ ...config, schedule: 'bp' }, prepareData(config, smallData()), 1);
  for (const [key, value] of fresh.network.stateDict()) {
    if (key.startsWith('scale.') || key.endsWith('.scores')) continue; // buffers, which training leaves alone
    const same = Buffer.compare(value.bytes(), weights.get(key)!) === 0;
    assert.ok(!same || value.abs().max().item() === 0, `${key} has not moved`);
  }
});

test('moved labels change what the branches learn in the next epoch, not in the one that moves them', async () => {
  const losses = async (labels: 'generated' | 'multimodal') =>
    (await train(branchConfig({ unimodal: { labels } }))).result.history.map(({ train }) => train['unimodal.audio']);
  const [made, given] = [await losses('generated'), await losses('multimodal')];
  assert.deepEqual(made.slice(0, 2), given.slice(0, 2));
  assert.notEqual(made[2], given[2]);
});

test('the epoch is chosen by the validation loss, and the gathered network has the weights of that epoch', async () => {
  const config = branchConfig({ maxEpochs: 12, patience: 2, groups: smallConfig('self-mm').groups });
  const prepared = prepareData(config, smallData());
  const trainer = new SeedTrainer(config, prepared, 1);
  const result = (await trainer.run())!;
  const losses = result.history.map(({ validLoss }) => validLoss);
  assert.equal(result.bestEpoch, losses.indexOf(Math.min(...losses)) + 1);
  assert.ok(result.epochs === 12 || result.epochs === result.bestEpoch + 2);
  assert.equal(predictSplit(trainer.network, config, prepared.splits.valid).loss, Math.min(...losses));
});

test('what branches cannot train is refused, with what to do', () => {
  const refused: [Partial<SentimentConfig>, RegExp][] = [
    [
      { alignment: { on: 'projected', weights: { 'audio-vision': 1 } } },
      /projections belong to no branch; set alignment\.on to 'feature' .* or 'post', or schedule bp/,
    ],
    [{ model: 'tfn', unimodal: null }, /expected the model shared-private or self-mm, got tfn/],
    [{ unimodal: null }, /no head of text, audio, vision is trained/],
  ];
  for (const [change, message] of refused) {
    const config = branchConfig(change);
    assert.throws(() => new SeedTrainer(config, prepareData(config, smallData()), 1), message);
  }
});

for (const schedule of ['sequential', 'ppll'] as const) {
  test(`a branch of ${schedule} that throws ends the run with one error that names it`, async () => {
    const faults = { at: { stage: 1, step: 6, kind: 'throw' } } as const;
    const parts = schedule === 'ppll' ? 'audio' : 'text, audio, vision, fusion';
    const message = `seed 1, ${parts}: stage 1, action 1F0, step 6: injected fault`;
    await assert.rejects(train(branchConfig({ schedule }), { faults }), { message });
  });
}

test('a branch whose thread is gone is noticed', async () => {
  const faults = { at: { stage: 3, step: 2, kind: 'exit' } } as const;
  await assert.rejects(train(branchConfig(), { faults }), /the thread of fusion ended before its work was done/);
});

test('a loss of a branch that is not finite ends the run before the step, and says what is not', async () => {
  const faults = { at: { stage: 1, step: 6, kind: 'nan' } } as const;
  const message =
    /^HeadraceError: seed 1, audio: stage 1, action 1U, step 6: the loss is NaN; .* Not finite by now: audio\..*too high: begin again\.$/;
  await assert.rejects(train(branchConfig(), { faults }), message);
});

test('a branch that is stuck ends the run, and says what was waited for', async () => {
  const late = { faults: { delayMs: 100_000 }, timeoutMs: 1500 };
  await assert.rejects(train(branchConfig(), late), /^HeadraceError: seed 1, .*waited 1\.5 s for a (stage|message)/);
});

for (const schedule of ['sequential', 'ppll'] as const) {
  test(`a run by ${schedule} that was broken off after any epoch goes on bit for bit`, async () => {
    const config = branchConfig({ schedule, accumulate: 2, maxEpochs: 5 });
    const whole = timeless(await train(config));
    for (const after of [1, 3]) {
      let state: SeedState | null = null;
      const first = new SeedTrainer(config, prepareData(config, smallData()), 1);
      const stopped = await first.run({
        save: (saved) => {
          const tensors = new Map([...saved.tensors].map(([key, value]) => [key, value.clone()]));
          state = { ...saved, history: [...saved.history], tensors };
        },
        shouldStop: () => state?.epoch === after,
      });
      assert.equal(stopped, null);
      assert.deepEqual(timeless(await train(config, {}, state)), whole);
    }
  });
}

test('a run that is told to stop ends after the epoch', async () => {
  const config = branchConfig();
  const epochs: number[] = [];
  const trainer = new SeedTrainer(config, prepareData(config, smallData()), 1);
  const result = await trainer.run({
    onEpoch: ({ epoch }) => epochs.push(epoch),
    shouldStop: () => epochs.length === 2,
  });
  assert.deepEqual([result, epochs], [null, [1, 2]]);
});

/** A folder of texts with labels, which threads can read. */
function textFolder(folder: string): SentimentSource {
  const rows = smallData().utterances.map(
    ({ id, split, text, label }, i) => `v${i >> 1},${id},${text},${label},${split}`,
  );
  writeFileSync(join(folder, 'label.csv'), `video_id,clip_id,text,label,mode\n${rows.join('\n')}\n`);
  return { format: 'label-csv', path: folder, range: [-3, 3] };
}

test('a run of branches leaves a folder like any other; a seed that was broken off goes on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-branches-'));
  try {
    const source = textFolder(folder);
    const out = join(folder, 'run');
    const config = branchConfig({ modalities: ['text'] });
    const prepared = prepareData(config, await loadSentiment(source));
    beginFolder(out, config, prepared, false);
    const [result] = await new SeedRuns(config, source, { seeds: [3], out }).run();
    const { network, seed } = loadModel(out);
    assert.equal(seed, 3);
    const { loss } = predictSplit(network, config, prepared.splits.test);
    assert.ok(Math.abs(loss - result!.test.mae!) < 1e-6);
    assert.ok(!existsSync(join(out, 'seed-3', 'checkpoint.safetensors')));
    const events = readRun(join(out, 'seed-3'));
    const starts = events.flatMap((event) => (event.type === 'start' ? [event.layers] : []));
    assert.deepEqual(starts, [['text', 'heads.text'], ['fusion']]);
    const judged = events.flatMap((event) => (event.type === 'eval' ? [[event.epoch + 1, event.metrics.loss]] : []));
    assert.deepEqual(
      judged,
      result!.history.map(({ epoch, validLoss }) => [epoch, validLoss]),
    );
    const last = events.filter(({ type, stage }) => type === 'step' && stage === 1).at(-1);
    assert.equal(last?.type === 'step' && last.step, 4 * result!.epochs);
    const begun = new SeedRuns(config, source, { seeds: [4], out, onNotice: () => begun.stop() });
    assert.deepEqual(await begun.run(), []);
    assert.ok(existsSync(join(out, 'seed-4', 'checkpoint.safetensors')));
    const options = { seeds: [4], checkpoints: false };
    const [whole] = await new SeedRuns(config, source, { ...options, out: null }).run();
    const [resumed] = await new SeedRuns(config, source, { seeds: [4], out }).run();
    assert.deepEqual([resumed!.test, resumed!.bestEpoch], [whole!.test, whole!.bestEpoch]);
    const steps = readRun(join(out, 'seed-4')).filter(({ type, stage }) => type === 'step' && stage === 0);
    assert.equal(steps.length, 4 * resumed!.epochs);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
