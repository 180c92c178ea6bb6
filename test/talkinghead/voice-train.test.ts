import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, test } from 'node:test';
import { getNumThreads, setNumThreads } from 'headrace';
import {
  alignWords,
  assessExact,
  PronunciationDictionary,
  Prosody,
  readVoiceConfig,
  synthesise,
  type TimedSound,
  type TrainState,
  trainEmotion,
  type VoiceClip,
  VoiceTrainer,
  voiceRate,
} from 'headrace/talkinghead';

const threads = getNumThreads();
after(() => setNumThreads(threads));

const has = (program: string): boolean => spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;

/** Hiss for s, a hum for ah, silence for b, in an order by number. */
function madeClip(number: number): VoiceClip {
  const sounds: TimedSound[] = Array.from({ length: 12 }, (_, i) => {
    const sound = ['s', 'ah', 'b'][(i * (1 + (number % 2)) + number) % 3]!;
    return { sound, start: i / 8, end: (i + 1) / 8 };
  });
  const samples = Float32Array.from({ length: 1.5 * voiceRate }, (_, i) => {
    const { sound } = sounds[Math.min(11, Math.floor((8 * i) / voiceRate))]!;
    if (sound === 's') return 0.1 * Math.sin(i * i);
    return sound === 'ah' ? 0.2 * Math.sin((2 * Math.PI * 400 * i) / voiceRate) : 0;
  });
  const opening = Float32Array.from(
    { length: 38 },
    (_, i) => 0.02 + 0.05 * Number(sounds[Math.min(11, Math.floor((8 * i) / 25))]!.sound === 'ah'),
  );
  const seen = number % 2 === 0 ? null : { fps: 25, opening, width: opening.map((value) => 0.8 - value) };
  return { id: `made ${number}`, speaker: 'made', samples, sounds, alphabet: 'arpabet', seen };
}

const clips = Array.from({ length: 8 }, (_, i) => madeClip(i));
const data = {
  synthetic: clips.filter(({ seen }) => seen === null),
  real: clips.filter(({ seen }) => seen !== null),
  validation: [],
  testSynthetic: [],
  testReal: [],
};
const config = readVoiceConfig('standard', {
  'network.width': 8,
  'network.dilations': [1, 2],
  variants: 1,
  steps: 12,
  batch: 4,
  realBatch: 2,
  window: 60,
  keepEvery: 4,
});

const weightsOf = (trainer: VoiceTrainer): Float32Array[] =>
  [...trainer.network.stateDict()].map(([, value]) => (value.data() as Float32Array).slice());

test('training lowers every part of the loss, and the same seed gives the same weights', async () => {
  const [one, two] = [new VoiceTrainer(config, data), new VoiceTrainer(config, data)];
  const history = (await one.run())!;
  assert.deepEqual(
    history.map(({ step }) => step),
    [4, 8, 12],
  );
  await two.run();
  assert.deepEqual(weightsOf(one), weightsOf(two));
  const long = (await new VoiceTrainer({ ...config, steps: 120, keepEvery: 40, lr: 1e-2 }, data).run())!;
  for (const name of ['moves', 'closure', 'opening']) {
    assert.ok(long.at(-1)!.loss[name]! < 0.8 * long[0]!.loss[name]!, name);
  }
});

test('a run that was broken off goes on to the same weights, bit for bit', async () => {
  const whole = new VoiceTrainer(config, data);
  await whole.run();
  let kept: TrainState | null = null;
  const first = new VoiceTrainer(config, data);
  const copy = (state: TrainState): void => {
    kept = { ...state, tensors: new Map([...state.tensors].map(([key, value]) => [key, value.clone()])) };
  };
  let steps = 0;
  assert.equal(
    await first.run({
      save: copy,
      onProgress: (what) => (steps += Number(what === 'training')),
      shouldStop: () => steps >= 5,
    }),
    null,
  );
  assert.equal(kept!.step, 5);
  const second = new VoiceTrainer(config, data);
  assert.deepEqual(
    (await second.run({ from: kept }))!.map(({ step }) => step),
    [4, 5, 8, 12],
  );
  assert.deepEqual(weightsOf(second), weightsOf(whole));
});

test('videos whose words nobody tells teach how far a mouth opens, and nothing of its sounds', async () => {
  const wordless = data.real.map((clip) => ({ ...clip, sounds: null }));
  const learn = async (real: readonly VoiceClip[]): Promise<Readonly<Record<string, number>>> =>
    (await new VoiceTrainer({ ...config, steps: 40, keepEvery: 20 }, { ...data, real: [...real] }).run())!.at(-1)!.loss;
  const [some, none] = [await learn(wordless), await learn(wordless.map((clip) => ({ ...clip, seen: null })))];
  assert.ok(some.opening! > 0 && some.width! > 0, JSON.stringify(some));
  assert.equal(none.opening, 0);
});

test('settings are changed by path and checked by name', () => {
  assert.equal(readVoiceConfig('standard', { 'loss.opening': 0.25 }).loss.opening, 0.25);
  assert.throws(() => readVoiceConfig('standard', { 'loss.openning': 1 }), /loss\.openning.*Did you mean opening/);
  assert.throws(() => readVoiceConfig('standard', { batch: 'many' }), /batch to be a whole number/);
  assert.throws(() => readVoiceConfig('best'), /Expected a recipe \(standard\) or a JSON file, got 'best'/);
  assert.throws(() => readVoiceConfig('standard', { realBatch: 99 }), /realBatch of at most batch/);
});

test('lips that never meet are told from lips that do', () => {
  const clip = clips[0]!;
  const exact = assessExact(() => new Float64Array(75), [clip], 'clean');
  assert.equal(exact.bilabials, 4);
  assert.equal(exact.closed, 1);
  assert.equal(assessExact(() => new Float64Array(75).fill(0.3), [clip], 'clean').closed, 0);
});

test('sounds come with the synthesiser’s own times, and aligned words agree with them', async (t) => {
  if (!has('flite') || !has('pocketsphinx_continuous')) return t.skip('flite and pocketsphinx are not installed');
  const [spoken] = await synthesise('flite:rms', ['maybe before five']);
  const names = spoken!.sounds.map(({ sound }) => sound).filter((sound) => sound !== 'pau');
  assert.deepEqual(names, ['m', 'ey', 'b', 'iy', 'b', 'ih', 'f', 'ao', 'r', 'f', 'ay', 'v']);
  assert.ok(Math.abs(spoken!.sounds.at(-1)!.end - spoken!.samples.length / voiceRate) < 0.02);
  const dictionary = PronunciationDictionary.load();
  const found = await alignWords(spoken!.samples, ['maybe', 'before', 'five'], { dictionary });
  const aligned = found.filter(({ sound }) => sound !== 'SIL');
  assert.equal(aligned.length, names.length);
  const truth = spoken!.sounds.filter(({ sound }) => sound !== 'pau');
  for (const [i, { start }] of aligned.entries()) {
    assert.ok(Math.abs(start - truth[i]!.start) < 0.06, `${names[i]} at ${start}`);
  }
  await assert.rejects(() => alignWords(spoken!.samples, ['xyzzyx'], { dictionary }), /no word 'xyzzyx'/);
});

test('espeak-ng and festival tell sounds that fill their sound', async (t) => {
  for (const [program, voice] of [
    ['espeak-ng', 'espeak:de+f2'],
    ['festival', 'festival:kal_diphone'],
  ] as const) {
    if (!has(program) || !has('python3')) {
      t.diagnostic(`${program} is not installed`);
      continue;
    }
    const [spoken] = await synthesise(voice, ['mama papa']);
    const { sounds, samples } = spoken!;
    assert.ok(Math.abs(sounds.at(-1)!.end - samples.length / voiceRate) < 0.06, voice);
    assert.equal(sounds.filter(({ sound }) => sound === 'm' || sound === 'p').length, 4, voice);
  }
  const [finnish] = await synthesise('festival:suo_fi_lj_diphone', ['mamma']).catch(() => []);
  if (finnish === undefined) t.diagnostic('festvox-suopuhe-lj is not installed');
  else {
    assert.equal(finnish.alphabet, 'ipa');
    assert.deepEqual(
      finnish.sounds.map(({ sound }) => sound).filter((sound) => sound !== ''),
      ['m', 'a', 'm', 'a'],
    );
  }
  await assert.rejects(() => synthesise('siri:anna', ['hello']), /flite:NAME, festival:NAME or espeak/);
});

test('a loss of the emotion model that is not finite ends its training before the step', () => {
  const vectors = [new Prosody().vector().fill(Number.NaN)];
  const examples = [0, 1].map((label) => ({ speaker: 'made', label, vectors }));
  assert.throws(
    () => trainEmotion(examples),
    /^HeadraceError: step 1: the loss is not finite; lower the learning rate/,
  );
});
