import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { writeWav } from 'headrace/media';
import {
  type Actor,
  Animation,
  arkitIndex,
  FaceModel,
  type MotionFrame,
  speechFromPhonemes,
  synthesise,
} from 'headrace/talkinghead';
import { all, scratch } from '../media/support.js';

const missing = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined;
const model = '/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict';
const skip =
  missing('flite') || missing('pocketsphinx_continuous') || !existsSync(model)
    ? 'flite or pocketsphinx is not installed'
    : false;

const face = FaceModel.load();
const still = { yaw: 0, pitch: 0, roll: 0 };
const actor: Actor = {
  rest: new Float32Array(52),
  restPose: still,
  restGaze: { yaw: 0, pitch: 0 },
  frame: () => ({ width: 2, height: 2, data: new Uint8Array(12) }),
};
const text = 'My mother may bring Bob a big plum.';

/** cm between the lips at landmarks 62 and 66, over those of the face at rest. */
function lipGap(weights: Float32Array): number {
  const at = (vertices: Float32Array): number =>
    vertices[3 * face.landmarks[62]! + 1]! - vertices[3 * face.landmarks[66]! + 1]!;
  return at(face.shape({ weights })) - at(face.shape());
}

const moved = (animation: Animation): Promise<MotionFrame[]> => all(animation.motion());

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}

test('known words move the mouth as the true sounds do, and lips meet in each m, b and p', { skip }, async () => {
  const [spoken] = await synthesise('flite:slt', [text]);
  const { samples, sounds } = spoken!;
  const speech = { samples, rate: 16000 };
  const options = { speech, pose: 'still', blinks: false } as const;
  const exact = speechFromPhonemes(sounds, { fps: 25, duration: samples.length / 16000 });
  const frames = await moved(new Animation(actor, { ...options, transcript: text }));
  assert.equal(frames.length, Math.round((25 * samples.length) / 16000));
  const jaw = arkitIndex('jawOpen');
  const opening = (list: readonly { readonly weights?: Float32Array; readonly mouth?: Float32Array }[]): number[] =>
    list.map(({ weights, mouth }) => (weights ?? mouth)![jaw]!);
  const byWords = correlation(opening(frames), opening(exact));
  const byEar = correlation(opening(await moved(new Animation(actor, options))), opening(exact));
  assert.ok(byWords > 0.85 && byWords > byEar, `${byWords} by words, ${byEar} by ear`);
  const labials = sounds.filter(({ sound }) => ['m', 'b', 'p'].includes(sound));
  assert.equal(labials.length, 9);
  for (const { sound, start, end } of labials) {
    // Frames between the sound's beginning, less the error of the words' times, and its end.
    const within = frames.slice(Math.floor((start - 0.04) * 25), Math.ceil((end + 0.04) * 25) + 1);
    const least = Math.min(...within.map(({ weights }) => lipGap(weights)));
    assert.ok(least < 0.05, `${sound} at ${start.toFixed(2)} s leaves lips ${least.toFixed(3)} cm apart`);
  }
});

test('a name that no dictionary has is read by its letters, and cases and marks do not matter', { skip }, async () => {
  const [spoken] = await synthesise('flite:slt', ['Kowalczyk, you’ve met Bob!']);
  const speech = { samples: spoken!.samples, rate: 16000 };
  const frames = await moved(new Animation(actor, { speech, transcript: "KOWALCZYK -- you've 'met' Bob..." }));
  assert.equal(frames.length, Math.round((25 * spoken!.samples.length) / 16000));
});

test('words that are not those of the sound are refused, with the file’s name', { skip }, async () => {
  const file = scratch();
  const [spoken] = await synthesise('flite:slt', [text]);
  writeWav(file('plum.wav'), { channels: [spoken!.samples], rate: 16000 });
  const refused = (transcript: string, message: RegExp): Promise<void> =>
    assert.rejects(moved(new Animation(actor, { speech: file('plum.wav'), transcript })), { message });
  const other = 'Seven children ran over the quiet mountains and nobody answered those long questions with a letter.';
  await refused(other, /plum\.wav: The words 'seven children .*\.\.\.' are not found in the sound of \d\.\d s/);
  await refused(
    'my mother',
    /plum\.wav: the transcript does not fit: \d\d % of what is heard lies outside of its 2 words/,
  );
});

test('what is no transcript is refused before anything is read', () => {
  const made = (transcript: unknown) => () => new Animation(actor, { speech: 'absent.wav', transcript } as never);
  assert.throws(made(' ... '), /expected transcript as the words that are said, got '\.\.\.'/);
  assert.throws(made('at 9 in the evening'), /numbers in words, as they are said, got '9'/);
  assert.throws(made(7), /expected transcript as the words that are said/);
});

test('without pocketsphinx the error says what to install', async (t) => {
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
  });
  process.env.PATH = '/nowhere';
  const speech = { samples: new Float32Array(16000), rate: 16000 };
  await assert.rejects(moved(new Animation(actor, { speech, transcript: 'hello' })), {
    name: 'HeadraceError',
    message: /which are not installed; on Debian: apt install pocketsphinx pocketsphinx-en-us/,
  });
});

test('sounds and times that a synthesiser tells move the mouth exactly, in any alphabet', async () => {
  const sounds = [
    { sound: 'b', start: 0.2, end: 0.3 },
    { sound: 'ɑː', start: 0.3, end: 0.7 },
  ];
  const speech = { samples: new Float32Array(16000), rate: 16000 };
  const frames = await moved(
    new Animation(actor, { speech, pose: 'still', blinks: false, transcript: { sounds, alphabet: 'ipa' } }),
  );
  assert.equal(frames.length, 25);
  const gap = frames.map(({ weights }) => lipGap(weights));
  assert.ok(gap[12]! > 0.5 && gap[5]! < 0.03 && gap[24]! < 0.03, gap.map((value) => value.toFixed(2)).join(' '));
  const wrong = new Animation(actor, { speech, transcript: { sounds: [{ sound: 'xx', start: 0, end: 1 }] } });
  await assert.rejects(moved(wrong), /CMU's alphabet.*'xx'/);
});
