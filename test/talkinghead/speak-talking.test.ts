/** SPEAK's second stage: what it hears and sees, its losses, its training. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  getNumThreads,
  manualSeed,
  noGrad,
  ops,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
  zeros,
} from 'headrace';
import { saveSafetensors } from 'headrace/io';
import { readAudio, readImage, writeWav } from 'headrace/media';
import { functional as F } from 'headrace/nn';
import { readRun } from 'headrace/pipeline';
import {
  Chance,
  checkClips,
  coderLooker,
  coderOf,
  cutMouths,
  FaceCoder,
  hearAll,
  Irfd,
  landmarkLoss,
  loadSpeakClips,
  loadTalking,
  type MadeFrames,
  makeSpeechClips,
  PoseMap,
  perceptualLoss,
  readIrfdConfig,
  readSyncConfig,
  readTalkingConfig,
  type SpeakClips,
  SyncNet,
  saveIrfd,
  saveSync,
  shapeOf,
  soundAround,
  soundEncoder,
  syncLoss,
  type TalkingBase,
  TalkingSource,
  TalkingTrainer,
  type TrainState,
  talkingBatch,
  talkingLosses,
  trainTalking,
  vggLooker,
} from 'headrace/talkinghead';
import { example } from './examples.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-talking-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});

const [set, irfd, sync] = ['clips', 'irfd.safetensors', 'sync.safetensors'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const irfdConfig = readIrfdConfig('standard', {
  size: 32,
  encoder: { depth: 10, width: 4 },
  codes: { identity: 6, emotion: 5, pose: 4 },
  style: 8,
  channels: 8,
  budget: 64,
});
let clips: SpeakClips;
let base: TalkingBase;
before(async () => {
  const { samples } = await readAudio(example('hello.flac'), { rate: 16000, start: 0.3, end: 0.9 });
  writeWav(join(folder, 'line.wav'), { channels: [samples], rate: 16000 });
  await makeSpeechClips(set, { seed: 4, count: 8, people: 4, speech: [join(folder, 'line.wav')], size: 32, frames: 8 });
  clips = (await loadSpeakClips(checkClips(set, { testPeople: 1, leastFrames: 5 }), 32))!;
  manualSeed(3);
  const model = new Irfd(shapeOf(irfdConfig));
  saveIrfd(irfd, irfdConfig, model);
  const syncConfig = readSyncConfig('standard', { 'network.mouth': 16, 'network.width': 4, 'network.embedding': 8 });
  const network = new SyncNet(syncConfig.network).eval();
  saveSync(sync, syncConfig, 25, network);
  const coder = coderOf(model.eval(), irfdConfig);
  const encoder = soundEncoder('voice');
  const heard = (await hearAll(encoder, clips, {}))!;
  base = { clips, heard, coder, judges: { looker: coderLooker(coder), sync: { network, size: 32 }, coder } };
});

/** What keeps codes, which encoders that learn on cannot. */
const codesKept = { 'loss.identity': 0.2, 'loss.emotion': 0.2, 'loss.pose': 0.2 };
const tiny = {
  irfd: 'irfd',
  sync: 'sync',
  tune: 0,
  syncFrom: 2,
  width: 6,
  face: 6,
  channels: 8,
  budget: 64,
  clips: 2,
  testPeople: 1,
  steps: 4,
  keepEvery: 2,
  sheetEvery: 3,
  gan: { weight: 0.1, width: 2, layers: 2, gammaEvery: 2 },
} as const;

test('what is heard at a frame does not hang on what comes after the clip, and later sound is heard later', () => {
  scope(() => {
    const encoder = soundEncoder('voice');
    const samples = Float32Array.from({ length: 16000 }, (_, i) => (i < 8000 ? 0 : 0.3 * Math.sin(i * (1 + i / 2e5))));
    const rows = encoder.rows(samples, 25, 25);
    assert.deepEqual(rows.shape, [25, encoder.size]);
    // The same sound, 4 frames later: the same rows, but for the loudness that the ear has got used to.
    const late = new Float32Array(16000 + 4 * 640);
    late.set(samples, 4 * 640);
    const moved = encoder.rows(late, 29, 25).narrow(0, 4, 25);
    const alike = F.cosineSimilarity(rows.narrow(0, 13, 12), moved.narrow(0, 13, 12))
      .mean()
      .item();
    const other = F.cosineSimilarity(rows.narrow(0, 13, 8), moved.narrow(0, 17, 8))
      .mean()
      .item();
    assert.ok(alike > 0.98 && alike > other, `${alike}, ${other}`);
    assert.ok(Math.abs(rows.mean(1).abs().max().item()) < 1e-5);
  });
});

test('a frame hears its neighbours, within its clip alone', () => {
  scope(() => {
    const rows = tensor([0, 1, 2, 3, 4, 5, 6, 7], { shape: [8, 1], dtype: 'float32' });
    const clip = { ...clips.train[0]!, first: 2, frames: 4 };
    const around = soundAround(rows, [{ clip, from: 1 }], 3, 2);
    assert.deepEqual(around.tolist(), [
      [2, 2, 3, 4, 5],
      [2, 3, 4, 5, 5],
      [3, 4, 5, 5, 5],
    ]);
  });
});

test('where emotion comes from: the frame itself, another, several, or another clip alike; none alike is refused', () => {
  const alike = clips.train.map((clip, i) => ({ ...clip, person: 'one', emotion: i % 2 }));
  const drawn = (emotionFrom: 'frame' | 'other' | 'clip' | 'label') =>
    new TalkingSource(alike, { clips: 6, frames: 5, portraitFrom: 'clip', emotionFrom }).draw(new Chance(2));
  assert.equal(drawn('frame').moods, null);
  const within = (frame: number, { first, frames }: { first: number; frames: number }): boolean =>
    frame >= first && frame < first + frames;
  for (const [kind, count] of [
    ['other', 1],
    ['clip', 4],
  ] as const) {
    const { moods, windows } = drawn(kind);
    for (const [i, frames] of moods!.entries()) {
      assert.equal(frames.length, count);
      assert.ok(frames.every((frame) => within(frame, windows[i]!.clip)));
    }
  }
  const { moods, windows } = drawn('label');
  for (const [i, [frame]] of moods!.entries()) {
    const from = alike.find((clip) => within(frame!, clip))!;
    assert.ok(from !== windows[i]!.clip && from.emotion === windows[i]!.clip.emotion);
  }
  const alone = alike.map((clip, i) => ({ ...clip, person: String(i) }));
  assert.throws(
    () => new TalkingSource(alone, { clips: 1, frames: 5, portraitFrom: 'clip', emotionFrom: 'label' }),
    /take 'clip' or 'other'/,
  );
});

test('who it is is shown by the clip itself, or by any clip of the person', () => {
  const two = clips.train.map((clip, i) => ({ ...clip, person: String(i % 2) }));
  const drawn = (portraitFrom: 'clip' | 'person') =>
    new TalkingSource(two, { clips: 40, frames: 5, portraitFrom, emotionFrom: 'other' }).draw(new Chance(2));
  const pairs = (from: 'clip' | 'person') => {
    const { windows, portraits } = drawn(from);
    for (const { clip, from: frame } of portraits) assert.ok(frame >= 0 && frame < clip.frames);
    return windows.map(({ clip }, i) => [clip, portraits[i]!.clip] as const);
  };
  assert.ok(pairs('clip').every(([clip, portrait]) => clip === portrait));
  assert.ok(pairs('person').every(([clip, portrait]) => clip.person === portrait.person));
  assert.ok(pairs('person').some(([clip, portrait]) => clip !== portrait));
});

test('with the mouth hidden and the emotion of another frame, no code tells what the mouth does', () => {
  scope(() => {
    const config = readTalkingConfig('standard', { ...tiny, augment: false });
    const drawn = new TalkingSource(clips.train, config).draw(new Chance(5));
    const codesOf = (given: SpeakClips, changes: object): Record<string, Tensor> => {
      const { codes } = talkingBatch(given, base.heard, base.coder, drawn, { ...config, ...changes }, new Chance(1));
      const { portrait, ...frames } = codes;
      return { ...frames, 'portrait.emotion': portrait!.emotion, 'portrait.pose': portrait!.pose };
    };
    // Other mouths in all frames but those that tell who it is and how it feels.
    const told = new Set([...drawn.portraits.map(({ clip, from }) => clip.first + from), ...drawn.moods!.flat()]);
    const pictures = clips.pictures.clone();
    for (const { clip, from } of drawn.windows)
      for (let i = 0; i < 5; i++) {
        const frame = clip.first + from + i;
        if (told.has(frame)) continue;
        let [x, y] = [0, 0];
        for (let k = 48; k < 68; k++) {
          x += clips.landmarks[136 * frame + 2 * k]! / 20;
          y += clips.landmarks[136 * frame + 2 * k + 1]! / 20;
        }
        pictures
          .select(0, frame)
          .narrow(1, Math.floor(32 * y), 1)
          .narrow(2, Math.floor(32 * x) - 1, 3)
          .fill_(255);
      }
    const other = { ...clips, pictures };
    noGrad(() => {
      const [before, now] = [codesOf(clips, {}), codesOf(other, {})];
      for (const [name, code] of Object.entries(before)) assert.deepEqual(now[name]!.tolist(), code.tolist(), name);
      const [leaky, leaked] = [codesOf(clips, { hideMouth: false }), codesOf(other, { hideMouth: false })];
      assert.ok(leaky.pose!.sub(leaked.pose!).abs().max().item() > 1e-4);
    });
  });
});

/** Frames of the form `picture`. */
const shown = (pictures: Tensor): MadeFrames => ({ pictures, places: null });

test('landmarks count by how far from those of the portrait they are fetched', () => {
  scope(() => {
    const config = readTalkingConfig('standard', tiny);
    const drawn = new TalkingSource(clips.train, config).draw(new Chance(5));
    const batch = noGrad(() => talkingBatch(clips, base.heard, base.coder, drawn, config, new Chance(1)));
    const { size } = clips;
    const { frames } = config;
    const middle = (i: number): number => (2 * i + 1) / size - 1;
    // Places that are a straight line of where they are, so that what lies between two pixels is told exactly.
    const [across, down] = [
      (x: number, y: number) => 0.5 * x - 0.25 * y + 0.1,
      (_x: number, y: number) => 0.75 * y - 0.2,
    ];
    const rows = batch.truth.shape[0]!;
    const one = Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_column, j) => [across(middle(j), middle(i)), down(middle(j), middle(i))]),
    );
    const places = tensor(one.flat(2), { shape: [1, size, size, 2] }).expand([rows, size, size, 2]);
    const mark = (row: number, k: number): [number, number] =>
      [0, 1].map((side) => 2 * clips.landmarks[136 * row + 2 * k + side]! - 1) as [number, number];
    const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    // The right brow and eye, the left ones, the mouth.
    const parts = [[...range(17, 22), ...range(36, 42)], [...range(22, 27), ...range(42, 48)], range(48, 68)];
    let [all, about] = [0, 0];
    for (const [i, { clip, from }] of drawn.windows.entries())
      for (let frame = 0; frame < frames; frame++) {
        const apart = range(0, 68).map((k): [number, number] => {
          const [x, y] = mark(clip.first + from + frame, k);
          const [ownX, ownY] = mark(drawn.portraits[i]!.clip.first + drawn.portraits[i]!.from, k);
          return [across(x, y) - ownX, down(x, y) - ownY];
        });
        for (const side of [0, 1] as const) {
          for (const each of apart) all += Math.abs(each[side]) / (2 * 68 * rows);
          for (const part of parts) {
            const mean = part.reduce((sum, k) => sum + apart[k]![side], 0) / part.length;
            for (const k of part) about += Math.abs(apart[k]![side] - mean) / (2 * 42 * rows);
          }
        }
      }
    const told = landmarkLoss(places, batch).item();
    assert.ok(about > 0.01 && Math.abs(told - all - about) < 1e-4, `${told}, ${all}, ${about}`);
    const losses = (frames: MadeFrames) => talkingLosses(frames, batch, base.judges, config, 0);
    assert.equal(losses({ pictures: batch.truth, places }).landmarks?.item(), told);
    assert.ok(!('landmarks' in losses(shown(batch.truth))), 'what is not fetched from a portrait has none');
  });
});

test('losses are 0 where what was made is true, but for sync with the sound; each by a second formula elsewhere', () => {
  scope(() => {
    const loss = { sync: 1, perceptual: 1, pixels: 1, mouth: 1, landmarks: 1, identity: 1, emotion: 1, pose: 1 };
    const literal = readTalkingConfig('literal', { ...tiny, syncFrom: 0, loss });
    const drawn = new TalkingSource(clips.train, literal).draw(new Chance(5));
    const batch = noGrad(() => talkingBatch(clips, base.heard, base.coder, drawn, literal, new Chance(1)));
    // The person is told by another frame.
    const same = { ...batch, codes: { ...batch.codes, identity: base.coder.code('identity', batch.truth) } };
    for (const [name, part] of Object.entries(talkingLosses(shown(batch.truth), same, base.judges, literal, 0)))
      assert.ok(part.item() < 1e-5, `${name}: ${part.item()}`);
    const made = batch.truth.mul(0.8).add(0.05);
    const parts = talkingLosses(shown(made), batch, base.judges, literal, 0);
    const near = (part: Tensor | undefined, value: number): void =>
      assert.ok(Math.abs(part!.item() - value) < 1e-5 * Math.max(1, value), `${part!.item()}, ${value}`);
    const flat = (x: Tensor): number[] => Array.from(x.flatten().contiguous().data() as Float32Array);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [a, b] = [flat(made), flat(batch.truth)];
    near(parts.pixels, mean(a.map((value, i) => Math.abs(value - b[i]!))));
    const [ma, mb] = [cutMouths(made, batch.squares, 24), cutMouths(batch.truth, batch.squares, 24)].map(flat);
    near(parts.mouth, mean(ma!.map((value, i) => Math.abs(value - mb![i]!))));
    const rows = (x: Tensor): number[][] => x.tolist() as number[][];
    const length = (p: number[], q: number[]): number => Math.hypot(...p.map((value, i) => value - q[i]!));
    for (const factor of ['identity', 'emotion', 'pose'] as const) {
      const [own, meant] = [rows(base.coder.code(factor, made)), rows(batch.codes[factor])];
      near(parts[factor], mean(own.map((row, i) => length(row, meant[i]!))) / Math.sqrt(own[0]!.length));
    }
    const looked = coderLooker(base.coder);
    const levels = looked.maps(made).map((map, i) => {
      const [p, q] = [map, looked.maps(batch.truth)[i]!].map((each) => rows(each.permute([0, 2, 3, 1]).flatten(0, 2)));
      const unit = (row: number[]): number[] => row.map((value) => value / Math.max(1e-12, Math.hypot(...row)));
      return mean(p!.map((row, k) => length(unit(row), unit(q![k]!)) ** 2));
    });
    near(parts.perceptual, mean(levels));
    // Before its step sync does not count, and a weight of 0 leaves a part out.
    const few = talkingLosses(
      shown(made),
      batch,
      base.judges,
      { ...literal, syncFrom: 3, loss: { ...loss, pose: 0 } },
      2,
    );
    assert.ok(!('sync' in few) && !('pose' in few));
    assert.ok(syncLoss(base.judges.sync!, batch.truth, batch, 'sound').item() > 0.01);
  });
});

test('a VGG of a folder looks as many times as it halves, by torchvision names; other weights are refused', () => {
  scope(() => {
    const path = join(folder, 'vgg');
    const shapes = { 0: [2, 3], 2: [2, 2], 5: [3, 2], 7: [3, 3] } as const;
    const weights = Object.entries(shapes).flatMap(([i, [out, inside]]): [string, Tensor][] => [
      [`features.${i}.weight`, randn([out, inside, 3, 3])],
      [`features.${i}.bias`, randn([out])],
    ]);
    const [w0, b0, w2, b2, w5, b5, w7, b7] = weights.map(([, value]) => value) as Tensor[];
    saveFolder(path, [...weights, ['classifier.0.weight', zeros([2, 2])]]);
    const looker = vggLooker(path);
    const x = randn([2, 3, 8, 8]);
    const deviation = tensor([0.229, 0.224, 0.225], { shape: [1, 3, 1, 1] });
    const seen = x
      .add(1)
      .div(2)
      .sub(tensor([0.485, 0.456, 0.406], { shape: [1, 3, 1, 1] }))
      .div(deviation);
    const conv = (y: Tensor, w: Tensor, b: Tensor): Tensor => F.conv2d(y, w, b, { padding: 1 }).relu();
    const first = conv(conv(seen, w0!, b0!), w2!, b2!);
    const second = conv(conv(F.maxPool2d(first, 2), w5!, b5!), w7!, b7!);
    const maps = looker.maps(x);
    assert.equal(maps.length, 2);
    for (const [i, map] of [first, second].entries()) assert.ok(map.sub(maps[i]!).abs().max().item() < 1e-5);
    assert.equal(perceptualLoss(looker, x, x).item(), 0);
    assert.match(looker.name, /a VGG of 4 convolutions from/);
    saveFolder(path, [['encoder.weight', zeros([2])]]);
    assert.throws(() => vggLooker(path), /Expected .* a VGG's weights by torchvision's names/);
  });
});

function saveFolder(path: string, tensors: [string, Tensor][]): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  saveSafetensors(join(path, 'model.safetensors'), tensors);
}

test('the map from angles to a code gives back what a quadratic law says, and is fitted by few frames', () => {
  scope(() => {
    const chance = new Chance(1);
    const head = () => [0, 1, 2, 3, 4, 5].map((i) => chance.between(-1, 1) * (i < 3 ? 25 : 3)) as never;
    const law = ([yaw, pitch, , x]: readonly number[]): number[] => [
      yaw! / 20 + 0.3 * (yaw! / 20) * (pitch! / 20),
      1 - (x! / 3) ** 2,
    ];
    const heads = Array.from({ length: 300 }, head);
    const map = PoseMap.fit(heads, tensor(heads.flatMap(law), { shape: [300, 2] }));
    const others = Array.from({ length: 20 }, head);
    const error = map
      .code(others)
      .sub(tensor(others.flatMap(law), { shape: [20, 2] }))
      .abs()
      .max()
      .item();
    assert.ok(error < 0.02, `${error}`);
  });
});

const plain = (trainer: TalkingTrainer): unknown[] => [...trainer.tensors().values()].map((each) => each.tolist());
/** A base of its own, since encoders may learn. */
const freshBase = (): TalkingBase => {
  const coder = new FaceCoder(irfdConfig);
  coder.loadStateDict(base.coder.stateDict());
  return { ...base, coder };
};

test('training is broken off and gone on with to the same weights, bit for bit, with encoders frozen or tuned', async () => {
  const ways = [
    ['standard', { ...tiny, ...codesKept, augment: true }],
    ['standard', { ...tiny, tune: 0.1 }],
    ['standard', { ...tiny, tune: 1, encoders: 'fresh' }],
    ['literal', { ...tiny, emotionFrom: 'label', 'gan.kind': 'printed' }],
  ] as const;
  for (const [recipe, changes] of ways) {
    const config = readTalkingConfig(recipe, { ...changes, emotionFrom: 'clip' });
    const whole = new TalkingTrainer(config, freshBase());
    const history = (await whole.run())!;
    assert.deepEqual(
      history.map(({ step }) => step),
      [2, 4],
    );
    let kept: TrainState | null = null;
    let done = 0;
    const first = new TalkingTrainer(config, freshBase());
    const stopped = await first.run({
      save: (state) => {
        kept = { ...state, tensors: new Map([...state.tensors].map(([key, value]) => [key, value.clone()])) };
      },
      onStep: () => done++,
      shouldStop: () => done >= 3,
    });
    assert.equal(stopped, null);
    const second = new TalkingTrainer(config, freshBase());
    await second.run({ from: kept });
    assert.deepEqual(plain(second), plain(whole));
    const before = [...base.coder.stateDict().values()].map((each) => each.tolist());
    const now = [...whole.base.coder.stateDict().values()].map((each) => each.tolist());
    if (config.tune > 0) assert.notDeepEqual(now, before);
    else assert.deepEqual(now, before);
  }
});

test('a part that begins late is told from then on, as the mean over its own steps', async () => {
  const config = readTalkingConfig('standard', { ...tiny, 'gan.weight': 0, syncFrom: 1, steps: 2 });
  const each = (await new TalkingTrainer({ ...config, keepEvery: 1 }, freshBase()).run())!;
  const both = (await new TalkingTrainer(config, freshBase()).run())!;
  assert.ok(!('sync' in each[0]!.loss));
  assert.equal(both[0]!.loss.sync, each[1]!.loss.sync);
  assert.ok(Math.abs(both[0]!.loss.pixels! - (each[0]!.loss.pixels! + each[1]!.loss.pixels!) / 2) < 1e-9);
});

test('it learns a few frames by heart', async () => {
  const loss = { sync: 0, perceptual: 0, pixels: 1, mouth: 1, landmarks: 1, identity: 0, emotion: 0, pose: 0 };
  const config = readTalkingConfig('standard', {
    ...tiny,
    'gan.weight': 0,
    augment: false,
    loss,
    form: 'picture',
    steps: 40,
    keepEvery: 10,
  });
  const history = (await new TalkingTrainer(config, freshBase()).run())!;
  assert.ok(history.at(-1)!.loss.total! < 0.7 * history[0]!.loss.total!);
});

test('encoders see larger pictures made smaller, and what is made of them may be larger', async () => {
  const large = (await loadSpeakClips(checkClips(set, { testPeople: 1, leastFrames: 5 }), 64))!;
  const { coder } = base;
  scope(() => {
    const pictures = clips.pictures.narrow(0, 0, 3).to({ dtype: 'float32' }).div(127.5).sub(1);
    const doubled = pictures.repeatInterleave(2, 2).repeatInterleave(2, 3);
    for (const factor of ['identity', 'emotion', 'pose'] as const) {
      const [own, other] = [coder.code(factor, pictures), coder.code(factor, doubled)];
      assert.ok(own.sub(other).abs().max().item() < 1e-5, factor);
    }
    assert.ok(perceptualLoss(coderLooker(coder), doubled, pictures).item() < 1e-9);
  });
  const first = async (compute: 'float32' | 'bfloat16'): Promise<number> => {
    const config = readTalkingConfig('standard', { ...tiny, scale: 2, compute, steps: 1, keepEvery: 1 });
    const trainer = new TalkingTrainer(config, { ...freshBase(), clips: large });
    assert.equal(trainer.generator.shape.size, 64);
    return (await trainer.run())![0]!.loss.total!;
  };
  const [exact, half] = [await first('float32'), await first('bfloat16')];
  // Whitening makes what 16 bits round off of a code larger.
  assert.ok(half !== exact && Math.abs(half - exact) < 0.06 * exact, `${half}, ${exact}`);
  assert.throws(() => readTalkingConfig('standard', { ...tiny, scale: 3 }), /scale to be a power of two, got 3/);
});

test('a run keeps its settings, course, sheets and model, which is found again whole', async () => {
  const out = join(folder, 'run');
  const config = readTalkingConfig('standard', { ...tiny, irfd, sync });
  await assert.rejects(trainTalking({ ...config, frames: 4 }, { data: set, out }), /Expected frames to be 5, of which/);
  await assert.rejects(trainTalking({ ...config, irfd: join(folder, 'none') }, { data: set, out }), /none/);
  assert.ok(!existsSync(out));
  const notes: string[] = [];
  let stop = false;
  const signal = (what: string): unknown => what === 'training' && setImmediate(() => (stop = true));
  const options = { data: set, out, note: (text: string) => void notes.push(text) };
  assert.equal(await trainTalking(config, { ...options, onProgress: signal, shouldStop: () => stop }), null);
  const result = (await trainTalking(config, { ...options, resume: true }))!;
  assert.ok(notes.includes("pictures are compared by IRFD's encoders of identity and emotion"));
  assert.ok(notes.includes('sound is heard by the voice network that comes with Headrace'));
  const told = readRun(out).map((event) => [event.type, 'step' in event ? event.step : null].join(' '));
  assert.deepEqual(
    told.filter((event) => event.startsWith('sheet')),
    ['sheet 4'],
  );
  const sheet = await readImage(result.sheet);
  assert.equal(sheet.width, 6 * 34 - 2);
  const model = loadTalking(out);
  assert.deepEqual(model.config, config);
  assert.equal(model.fps, 25);
  const { x, y, side } = model.framing;
  assert.ok(x > 0.3 && x < 0.7 && y > 0.3 && y < 0.7 && side > 0.2 && side < 0.8);
  const emotions = new Set(clips.train.map(({ emotion }) => emotion));
  assert.deepEqual(
    model.shown,
    [0, 1, 2, 3, 4, 5, 6].map((mood) => emotions.has(mood)),
  );
  const seen = ops.cat([zeros([1, 3, 32, 32]), zeros([1, 3, 32, 32]).add(0.5)], 0);
  assert.deepEqual(model.coder.encode(seen).pose.tolist(), base.coder.encode(seen).pose.tolist());
});

test('settings that cannot be are refused', () => {
  assert.throws(() => readTalkingConfig('standard'), /Expected a run of headrace talk train irfd/);
  assert.throws(() => readTalkingConfig('standard', { irfd: 'x' }), /Expected a run of headrace talk train syncnet/);
  assert.throws(
    () => readTalkingConfig('standard', { ...tiny, encoders: 'fresh' }),
    /begin anew \(encoders: fresh\) to learn/,
  );
  assert.throws(
    () => readTalkingConfig('standard', { ...tiny, ...codesKept, tune: 0.1 }),
    /where encoders learn on, got tune 0.1/,
  );
  assert.throws(
    () => readTalkingConfig('standard', { ...tiny, emotionFrom: 'mouth' }),
    /one of frame, other, clip, label/,
  );
});
