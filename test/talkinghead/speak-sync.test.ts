/** Clips of people who speak, where their mouths are, and SyncNet. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Generator, getNumThreads, randn, scope, setNumThreads, type Tensor, tensor, zeros } from 'headrace';
import { readAudio, writeWav } from 'headrace/media';
import {
  Chance,
  checkClips,
  columnsPerFrame,
  contrastive,
  cutMouths,
  drawSyncPairs,
  evaluateSync,
  hideMouths,
  loadSpeakClips,
  loadSync,
  makeSpeechClips,
  mouthSquare,
  PreparedClips,
  readSyncConfig,
  type SpeakClips,
  SyncNet,
  SyncTrainer,
  soundColumns,
  syncCurve,
  syncScoresOf,
  type TrainState,
  trainSync,
  VoiceModel,
} from 'headrace/talkinghead';
import { example } from './examples.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-sync-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});

const set = join(folder, 'clips');
const line = join(folder, 'line.wav');
let clips: SpeakClips;
before(async () => {
  const { samples } = await readAudio(example('hello.flac'), { rate: 16000, start: 0.3, end: 1.1 });
  writeWav(line, { channels: [samples], rate: 16000 });
  await makeSpeechClips(set, { seed: 4, count: 4, people: 4, speech: [line], size: 32, frames: 20 });
  clips = (await loadSpeakClips(checkClips(set, { testPeople: 2, leastFrames: 11 }), 32))!;
});

const tiny = {
  size: 32,
  'network.mouth': 16,
  'network.width': 4,
  'network.embedding': 8,
  windows: 4,
  testPeople: 2,
  steps: 6,
  keepEvery: 2,
} as const;

test('drawn speakers are prepared clips with exact numbers, and their sound is what was said', async () => {
  const prepared = PreparedClips.open(set);
  assert.deepEqual(
    prepared.clips.map(({ id, frames, person, sound }) => [id, frames, person, sound]),
    [0, 1, 2, 3].map((i) => [`000${i}`, 20, `person-${i}`, true]),
  );
  const [said, kept] = [await readAudio(line), await prepared.sound(1)];
  assert.equal(kept!.samples.length, 20 * 640);
  // 16 bits are kept of it.
  for (let i = 0; i < kept!.samples.length; i += 97)
    assert.ok(Math.abs(kept!.samples[i]! - said.samples[i]!) < 1 / 16000);
  // The jaw that was drawn is the one that the voice model hears, with what mood adds.
  const stream = VoiceModel.load().stream(25);
  const heard = [...stream.push(said.samples), ...stream.end()];
  const jaw = prepared.track(0).curve('jawOpen');
  const loud = heard.slice(0, 20).map(({ mouth }) => Math.max(...mouth));
  const most = loud.indexOf(Math.max(...loud));
  assert.ok(jaw[most]! > jaw[0]!);
  assert.deepEqual(
    clips.train.map(({ person }) => person),
    ['person-0', 'person-1'],
  );
  assert.deepEqual(
    clips.test.map(({ person }) => person),
    ['person-2', 'person-3'],
  );
  assert.deepEqual(clips.pictures.shape, [80, 3, 32, 32]);
});

test('clips that were broken off are drawn to their end, byte by byte as at once; other settings are refused', async () => {
  const parts = join(folder, 'parts');
  const options = { seed: 4, count: 2, people: 2, speech: [line], size: 32, frames: 20 };
  let made = 0;
  const first = await makeSpeechClips(parts, { ...options, progress: () => made++, stopped: () => made === 1 });
  assert.deepEqual([first.items, first.whole], [1, false]);
  assert.throws(() => PreparedClips.open(parts), /run the command that makes them/);
  const second = await makeSpeechClips(parts, options);
  assert.deepEqual([second.items, second.before, second.whole], [2, 1, true]);
  const lines = (of: string): string[] => readFileSync(join(of, 'clips.jsonl'), 'utf8').split('\n').slice(0, 2);
  assert.deepEqual(lines(parts), lines(set));
  for (const name of ['clips/0001.npz', 'clips/0001.wav'])
    assert.deepEqual(readFileSync(join(parts, name)), readFileSync(join(set, name)), name);
  await assert.rejects(makeSpeechClips(parts, { ...options, fps: 30 }), /holds other clips \(fps 25, not 30\)/);
  await assert.rejects(makeSpeechClips(join(folder, 'none'), { ...options, speech: ['tom'] }), /a synthesiser's voice/);
});

test('clips of a person may be drawn in one place: the background stays, and what is felt and done does not', async () => {
  const corners = async (place: 'clip' | 'person'): Promise<[number, number]> => {
    const out = join(folder, `place-${place}`);
    await makeSpeechClips(out, { seed: 4, count: 2, people: 1, place, speech: [line], size: 32, frames: 5 });
    const all = { prepared: PreparedClips.open(out), usable: [0, 1], testPeople: new Set<string>(), leftOut: 0 };
    const clips = (await loadSpeakClips(all, 32))!;
    const apart = clips.pictures
      .narrow(0, 0, 1)
      .to({ dtype: 'float32' })
      .sub(clips.pictures.narrow(0, 5, 1))
      .abs();
    return [apart.narrow(2, 0, 4).narrow(3, 0, 4).mean().item(), apart.mean().item()];
  };
  const [same, moved] = await corners('person');
  const [other] = await corners('clip');
  assert.ok(same < 3 && other > 6 && moved > 3, `${same}, ${other}, ${moved}`);
});

test('as many columns of sound are heard with each frame at 25 and at 30 a second, each at its time', () => {
  // A tone from 0.4 s on.
  const samples = Float32Array.from({ length: 16000 }, (_, i) => (i < 6400 ? 0 : 0.3 * Math.sin(i)));
  for (const fps of [25, 30]) {
    const columns = soundColumns(samples, fps, fps);
    const count = fps * columnsPerFrame;
    assert.equal(columns.length, 40 * count);
    const loudness = Array.from({ length: count }, (_, i) => Math.max(...columns.subarray(40 * i, 40 * i + 40)));
    const begins = loudness.findIndex((value) => value > 0) / (columnsPerFrame * fps);
    assert.ok(Math.abs(begins - 0.4) < 0.02, `${fps}: ${begins}`);
  }
  // Beyond its end a recording is silent, as before its beginning.
  const late = soundColumns(new Float32Array(160), 10, 25);
  assert.ok(Math.max(...late) < -2);
});

test('a mouth is cut out where the landmarks are, and hidden so that nothing of it is told', () => {
  scope(() => {
    const landmarks = new Float32Array(136);
    for (let k = 0; k < 68; k++) landmarks.set(k < 48 ? [0.5, 0.3] : [0.5, 0.6], 2 * k);
    const square = mouthSquare(landmarks, 0, 1);
    assert.ok(Math.abs(square.x) < 1e-6 && Math.abs(square.y - 0.2) < 1e-6);
    assert.ok(Math.abs(square.half - 2 * 0.62 * 0.3) < 1e-6);
    const picture = randn([1, 3, 32, 32]);
    // A square of pixels, cut at its own size.
    const [half, side] = [0.5, 16];
    const cut = cutMouths(picture, [{ x: 0.25, y: -0.125, half }], side);
    const own = picture.narrow(2, (1 - 0.125 - half) * 16, side).narrow(3, (1 + 0.25 - half) * 16, side);
    assert.ok(cut.sub(own).abs().max().item() < 1e-5);
    // Whatever is in the middle of the square, what is seen is the same.
    const other = picture.clone();
    other
      .narrow(2, 14, 6)
      .narrow(3, 14, 6)
      .copy_(randn([1, 3, 6, 6]));
    const middle = [{ x: 0, y: 0, half: 0.5 }];
    assert.deepEqual(hideMouths(other, middle).tolist(), hideMouths(picture, middle).tolist());
    const corner = (x: Tensor): unknown => x.narrow(2, 0, 4).narrow(3, 0, 4).tolist();
    assert.deepEqual(corner(hideMouths(picture, middle)), corner(picture));
  });
});

test('the contrastive loss draws together what belongs together, and pushes the rest to the margin and no further', () => {
  scope(() => {
    const distances = tensor([0.5, 0.5, 2]);
    distances.requiresGrad = true;
    const loss = contrastive(distances, tensor([1, 0, 0], { dtype: 'float32' }), 1);
    // (0.25 + 0.25 + 0) / (2 * 3)
    assert.ok(Math.abs(loss.item() - 0.5 / 6) < 1e-6);
    loss.backward();
    const [near, far, beyond] = distances.grad!.tolist() as number[];
    assert.ok(near! > 0 && far! < 0 && beyond === 0);
  });
});

test('points that follow one another are found at the offset by which they were moved', () => {
  scope(() => {
    const points = randn([60, 8]);
    const unit = points.div(points.square().sum(1, true).sqrt());
    for (const late of [0, 4]) {
      const curve = syncCurve(unit.narrow(0, 0, 50), unit.narrow(0, late, 50));
      assert.equal(curve.offset, late === 0 ? 0 : -late);
      assert.ok(curve.distance < 1e-6 && curve.confidence > 1);
      const all = [...curve.distances].sort((a, b) => a - b);
      assert.ok(Math.abs(curve.confidence - (all[15]! - all[0]!)) < 1e-9);
    }
  });
});

test('scores tell how far own sound is above that of the next clip, in standard deviations over clips', () => {
  scope(() => {
    const draw = (): Tensor => randn([40, 8], { generator });
    const generator = new Generator(5);
    const points = Array.from({ length: 4 }, (_, i) => {
      const seen = draw();
      return [seen, seen.add(draw().mul(0.2 * (i + 1)))] as const;
    });
    const { confidence, deviations, shuffled } = syncScoresOf(points);
    const other = points.map(([seen], i) => syncCurve(seen, points[(i + 1) % 4]![1]).confidence);
    const mean = other.reduce((a, b) => a + b) / 4;
    const spread = Math.sqrt(other.reduce((sum, each) => sum + (each - mean) ** 2, 0) / 3);
    assert.ok(Math.abs(shuffled.confidence - mean) < 1e-12);
    assert.ok(Math.abs(deviations! - (confidence - mean) / spread) < 1e-9 && deviations! > 3, `${deviations}`);
    assert.equal(syncScoresOf(points.slice(2)).deviations, null);
  });
});

test('pairs are a window with its own sound, and with sound of the same clip far enough away or of another clip', async () => {
  const config = readSyncConfig('standard', { ...tiny, windows: 40 });
  const pairs = drawSyncPairs(clips, config, new Chance(1));
  const same = pairs.filter(({ seen, other }) => seen.clip === other.clip);
  assert.equal(same.length, 24);
  for (const { seen, other } of same) {
    assert.ok(Math.abs(seen.from - other.from) >= config.leastShift);
    assert.ok(other.from >= 0 && other.from <= other.clip.frames - 5);
  }
  for (const { seen } of pairs) assert.ok(clips.train.includes(seen.clip));
});

const weightsOf = (trainer: SyncTrainer): Float32Array[] =>
  [...trainer.network.stateDict()].map(
    ([, value]) => new Float32Array(value.to({ dtype: 'float32' }).data() as Float32Array),
  );

test('its training is broken off and gone on with to the same weights, bit for bit', async () => {
  const config = readSyncConfig('standard', tiny);
  const whole = new SyncTrainer(config, clips);
  const history = (await whole.run())!;
  assert.deepEqual(
    history.map(({ step }) => step),
    [2, 4, 6],
  );
  let kept: TrainState | null = null;
  let done = 0;
  const first = new SyncTrainer(config, clips);
  const stopped = await first.run({
    save: (state) => {
      kept = { ...state, tensors: new Map([...state.tensors].map(([key, value]) => [key, value.clone()])) };
    },
    onStep: () => done++,
    shouldStop: () => done >= 3,
  });
  assert.equal(stopped, null);
  const second = new SyncTrainer(config, clips);
  await second.run({ from: kept });
  assert.deepEqual(weightsOf(second), weightsOf(whole));
});

test('it learns pairs by heart: what is in sync comes nearer than what is not', async () => {
  const config = readSyncConfig('standard', {
    ...tiny,
    augment: false,
    shiftShare: 1,
    windows: 12,
    'network.width': 8,
    steps: 120,
    keepEvery: 20,
    lr: 5e-3,
  });
  const history = (await new SyncTrainer(config, clips).run())!;
  const last = history.at(-1)!.loss;
  assert.ok(last.right! > 0.8, `${last.right} right`);
  assert.ok(last.near! < last.far!);
});

test('a run keeps its model and scores; it is measured again to the same, and on clips of another rate not at all', async () => {
  const out = join(folder, 'run');
  const config = readSyncConfig('standard', tiny);
  await assert.rejects(trainSync({ ...config, testPeople: 3 }, { data: set, out }), /of two people beside the 3/);
  const result = (await trainSync(config, { data: set, out }))!;
  const { network, fps } = loadSync(out);
  assert.equal(fps, 25);
  assert.deepEqual(network.see(zeros([2, 15, 16, 16])).shape, [2, 8]);
  const again = (await evaluateSync(out, set))!;
  assert.deepEqual(again, result.scores);
  assert.equal(again.clips, 2);
  const fast = join(folder, 'fast');
  await makeSpeechClips(fast, { seed: 4, count: 4, people: 4, speech: [line], size: 32, frames: 12, fps: 30 });
  await assert.rejects(evaluateSync(out, fast), /clips of 25 frames a second.*found 30/s);
  assert.ok((await trainSync(config, { data: fast, out: join(folder, 'run30') })) !== null);
  assert.equal(loadSync(join(folder, 'run30')).fps, 30);
});

test('settings that cannot be are refused', () => {
  assert.throws(
    () => readSyncConfig('standard', { 'network.mouth': 24 }),
    /a power of two of pixels, from 8 on, got 24/,
  );
  assert.throws(() => readSyncConfig('standard', { leastShift: 20 }), /at most mostShift, got 20 and 15/);
  assert.throws(
    () => new SyncNet({ frames: 5, mouth: 16, width: 4, embedding: 8 }).see(zeros([1, 3, 16, 16])),
    /Expected mouths/,
  );
});
