/** Trained models of SPEAK beside the portrait mode, on clips of people left out. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { getNumThreads, manualSeed, noGrad, setNumThreads } from 'headrace';
import { type RgbImage, readAudio, writeVideo, writeWav } from 'headrace/media';
import {
  checkClips,
  coderOf,
  evaluateSpeak,
  Irfd,
  knownOf,
  loadSpeakClips,
  makeSpeechClips,
  readIrfdConfig,
  readSyncConfig,
  readTalkingConfig,
  type SpeakClips,
  type SpeakEvaluation,
  SyncNet,
  saveSync,
  saveTalking,
  shapeOf,
  soundEncoder,
  syncScores,
  TalkingGenerator,
  talkingShape,
} from 'headrace/talkinghead';
import { headrace } from '../cli/run.js';
import { example } from './examples.js';

const threads = getNumThreads();
const folder = mkdtempSync(join(tmpdir(), 'headrace-evaluation-'));
after(() => {
  setNumThreads(threads);
  rmSync(folder, { recursive: true });
});
const [set, run, sync, line] = ['clips', 'speak.safetensors', 'sync.safetensors', 'line.wav'].map((name) =>
  join(folder, name),
) as [string, string, string, string];
let clips: SpeakClips;
let listener: SyncNet;

/** Clips of five people, and a model that shows its portrait as it is, whatever is asked. */
before(async () => {
  const { samples } = await readAudio(example('hello.flac'), { rate: 16000, start: 0.3, end: 0.9 });
  writeWav(line, { channels: [samples], rate: 16000 });
  await makeSpeechClips(set, { seed: 4, count: 5, people: 5, speech: [line], size: 128, frames: 5 });
  const testPeople = 3;
  clips = (await loadSpeakClips(checkClips(set, { testPeople, leastFrames: 5 }), 128))!;
  const codes = { identity: 6, emotion: 5, pose: 4 };
  const small = { channels: 8, budget: 64 };
  const irfdConfig = readIrfdConfig('standard', {
    ...small,
    size: 128,
    encoder: { depth: 10, width: 4 },
    codes,
    style: 8,
  });
  manualSeed(3);
  const coder = coderOf(new Irfd(shapeOf(irfdConfig)).eval(), irfdConfig);
  const config = readTalkingConfig('standard', { ...small, irfd: 'x', sync: 'x', width: 6, face: 6, testPeople });
  const generator = new TalkingGenerator(talkingShape(config, 128, codes, soundEncoder('voice').size));
  noGrad(() => {
    for (const [name, weight] of generator.namedParameters()) if (name.includes('colours')) weight.mul_(0);
  });
  saveTalking(run, { config, fps: 25, generator, coder, ...knownOf(clips, coder, true) }, irfdConfig);
  const syncConfig = readSyncConfig('standard', { size: 128, testPeople });
  listener = new SyncNet(syncConfig.network).eval();
  saveSync(sync, syncConfig, 25, listener);
  // The last of the people left out cannot be seen.
  const grey: RgbImage = { width: 128, height: 128, data: new Uint8Array(3 * 128 * 128).fill(90) };
  await writeVideo(
    join(set, 'clips', '0004.mp4'),
    Array.from({ length: 5 }, () => grey),
    { fps: 25 },
  );
});

const notes: string[] = [];
let found: SpeakEvaluation;

test('both modes are measured on the same clips; what one cannot take is told, and the rest goes on', async () => {
  const stages = new Set<string>();
  found = (await evaluateSpeak(run, set, {
    clips: 2,
    sync,
    note: (text) => void notes.push(text),
    onProgress: (what, done, all) => {
      assert.ok(done <= all, `${what} ${done}/${all}`);
      stages.add(what);
    },
  }))!;
  assert.deepEqual([...stages], ['making', 'measuring', 'reading']);
  assert.equal(found.clips, 2);
  for (const mode of ['speak', 'portrait'] as const) {
    const own = found.self[mode]!;
    assert.equal(own.videos.length, 1, mode);
    assert.match(own.videos[0]!.reference, /0002\.mp4$/);
    assert.deepEqual([own.mean.truth.ssim, own.mean.truth.lmdFace], [1, 0]);
    assert.ok(own.mean.generated.found! === 100 && own.mean.generated.lmdFace! > 0, mode);
  }
  const lost = found.refused.map(({ mode, row, clip }) => `${mode} ${row} ${clip}`);
  const rows = ['none', 'identity', 'emotion', 'pose'];
  assert.deepEqual(
    lost,
    ['speak', 'portrait'].flatMap((mode) => rows.map((row) => `${mode} ${row} 0004`)),
  );
  for (const { why } of found.refused) assert.match(why, /[nN]o face/);
  assert.ok(notes.includes(`0004, speak, pose of another clip: ${found.refused[3]!.why}`), notes.join('\n'));
});

test('a still follows no head and no mood but shows who it is of; the portrait mode follows the head', () => {
  const { control, truth, people } = found;
  assert.deepEqual([people, truth.pose, truth.identity], [2, 0, null]);
  const [still, follows] = [control.speak!, control.portrait!];
  for (const mode of [still, follows]) {
    for (const row of ['none', 'emotion', 'pose'] as const)
      assert.deepEqual([mode[row]!.films, mode[row]!.meant.identity, mode[row]!.other.identity], [1, 1, 0]);
    assert.deepEqual([mode.identity!.meant.identity, mode.identity!.other.identity], [1, 0]);
  }
  // Where it is to look elsewhere, the still is where its own clip has the head.
  assert.ok(still.pose!.other.pose! < still.pose!.meant.pose!);
  assert.ok(Math.abs(still.pose!.other.pose! - still.none!.meant.pose!) < 1e-9);
  assert.ok(follows.pose!.meant.pose! < follows.pose!.other.pose!);
  // What replaces nothing differs from the other clip by what the clips differ by.
  assert.ok(Math.abs(still.none!.other.pose! - still.pose!.meant.pose!) < 1e-9);
});

test('mouth and sound are compared by the SyncNet that is given, in films and in the clips themselves', async () => {
  const { speak, portrait, truth } = found.sync!;
  assert.deepEqual([speak!.clips, portrait!.clips, truth!.clips], [1, 1, 1]);
  // By the exact landmarks, where the evaluation finds them.
  const exact = syncScores(listener, { ...clips, test: clips.test.filter(({ id }) => id === '0002') });
  assert.ok(Math.abs(truth!.distance - exact.distance) < 0.05 * exact.distance, `${truth!.distance} ${exact.distance}`);
  const slow = join(folder, 'slow.safetensors');
  saveSync(slow, readSyncConfig('standard', { size: 128 }), 30, listener);
  await assert.rejects(evaluateSpeak(run, set, { sync: slow }), /clips of 30 frames a second in .*, found 25/);
});

test('a stop is heard between the films that are measured, too', async () => {
  const seen: string[] = [];
  const stopped = await evaluateSpeak(run, set, {
    clips: 2,
    modes: ['speak'],
    onProgress: (what) => void seen.push(what),
    shouldStop: () => seen.includes('measuring'),
  });
  assert.deepEqual([stopped, seen.at(-1)], [null, 'measuring']);
});

test('on the command line both stand side by side, with what could not be made and why', async () => {
  const { code, stdout, stderr } = await headrace(['talk', 'evaluate', run, join(folder, 'none'), '--model', 'speak']);
  assert.equal(code, 1, stdout);
  assert.match(stderr, /none/);
  assert.ok((await evaluateSpeak(run, set, { shouldStop: () => true })) === null);
  await assert.rejects(evaluateSpeak(run, set, { modes: [] }), /Expected modes among speak, portrait, got none/);
  const { modesTables } = (await import(new URL('../../../dist/cli/talk-tables.js', import.meta.url).href)) as {
    modesTables: (found: SpeakEvaluation) => string;
  };
  const text = modesTables(found);
  assert.match(text, /1 of 2 clips of people left out/);
  assert.match(text, /portrait could not make 0004 with another's pose: .*[nN]o face/);
  assert.match(text, /the clips themselves, 1 films +0\.000 \(0\.000\) +\d\.\d{3} \(\d\.\d{3}\) +-/);
  const alone = await headrace(['talk', 'evaluate', 'a.mp4', 'b.mp4', '--sync', sync]);
  assert.match(alone.stderr, /--sync measures what a model has made: give --model speak, too/);
  assert.match(text, /portrait, another's pose, 1 films +\d+\.\d \(\d+\.\d\)/);
});
