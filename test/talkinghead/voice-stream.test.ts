import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { manualSeed, noGrad, scope, tensor } from 'headrace';
import {
  arkitIndex,
  hear,
  type SpeechFrame,
  shippedVoice,
  VoiceModel,
  VoiceNetwork,
  voiceRate,
} from 'headrace/talkinghead';

const shape = { width: 12, dilations: [1, 2, 4] };

/** A small network of random numbers, as a module and as a model. */
function randomVoice(): { network: VoiceNetwork; model: VoiceModel; usual: Float32Array } {
  manualSeed(5);
  const network = new VoiceNetwork(shape);
  network.eval();
  const numbers = [...network.stateDict()].map(
    ([key, value]) => [key, (value.data() as Float32Array).slice()] as const,
  );
  const usual = Float32Array.from({ length: 40 }, (_, band) => -1 - band / 40);
  return { network, model: VoiceModel.of({ shape, network: new Map(numbers), usual }), usual };
}

/** Syllables of a voice of 120 Hz: bursts of harmonics with pauses. */
function babble(seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * voiceRate) }, (_, i) => {
    const t = i / voiceRate;
    const on = Math.max(0, Math.sin(2 * Math.PI * 3 * t));
    let sum = 0;
    for (let k = 1; k < 20; k++)
      sum += Math.sin(2 * Math.PI * 120 * k * t) / (1 + ((k - 5 - 3 * Math.sin(9 * t)) / 3) ** 2);
    return 0.1 * on * sum;
  });
}

function framesOf(model: VoiceModel, samples: Float32Array, fps: number, cut: number): SpeechFrame[] {
  const stream = model.stream(fps);
  const frames: SpeechFrame[] = [];
  for (let at = 0; at < samples.length; at += cut) frames.push(...stream.push(samples.subarray(at, at + cut)));
  return [...frames, ...stream.end()];
}

const samples = babble(1.7);

test('sound in pieces of any size gives the frames of the whole, bit for bit', () => {
  const { model } = randomVoice();
  for (const fps of [25, 29.97, 60]) {
    const whole = framesOf(model, samples, fps, samples.length);
    for (const cut of [1, 7, 160, 999, 16000]) assert.deepEqual(framesOf(model, samples, fps, cut), whole);
  }
});

test('a step at a time the network says what the module says of the whole', () => {
  const { model, network, usual } = randomVoice();
  const { inputs } = hear(samples, usual);
  const steps = inputs.length / 80;
  const moves = scope(() =>
    noGrad(() => {
      const x = tensor(inputs, { shape: [1, steps, 80] }).transpose(1, 2);
      return (network.forward(x).sigmoid().contiguous().data() as Float32Array).slice();
    }),
  );
  const frames = framesOf(model, samples, 50, samples.length);
  // Frame i of 50 a second is 5 ms before step i: a quarter of the way back to step i - 1. The moves of step i stand at i + 3.
  const pucker = (step: number): number => moves[4 * steps + step + 3]!;
  for (let i = 2; i < frames.length - 8; i++) {
    const expected = 0.25 * pucker(i - 1) + 0.75 * pucker(i);
    assert.ok(Math.abs(frames[i]!.mouth[arkitIndex('mouthPucker')]! - expected) < 1e-4, `frame ${i}`);
  }
});

test('a recording that is 24 dB too quiet is heard from its first syllable on', () => {
  const spoken = new Float32Array(samples.length + 3200);
  spoken.set(
    samples.map((sample) => sample / 16),
    3200,
  );
  const { energy } = hear(spoken); // of each 20 ms; the first syllable is from 0.2 to 0.37 s
  assert.ok(Math.max(...energy.subarray(0, 10)) < 0.05);
  assert.ok(Math.max(...energy.subarray(10, 19)) > 0.3);
});

test('any number of samples gives the nearest number of frames', () => {
  const { model } = randomVoice();
  for (const count of [0, 1, 319, 320, 321, 640, 16001, 25431]) {
    for (const fps of [10, 23.976, 25, 60, 120]) {
      const frames = framesOf(model, samples.subarray(0, count), fps, 1000);
      assert.equal(frames.length, Math.round((count * fps) / voiceRate), `${count} samples at ${fps}`);
    }
  }
});

test('a frame hears no more than 100 ms beyond its time', () => {
  const { model } = randomVoice();
  for (const fps of [25, 30, 60]) {
    const stream = model.stream(fps);
    let given = 0;
    for (let at = 0; at < samples.length; at += 160) {
      given += stream.push(samples.subarray(at, at + 160)).length;
      const heard = Math.min(samples.length, at + 160) / voiceRate;
      assert.ok(given >= Math.floor((heard - 0.1 - 0.01) * fps) + 1, `${given} frames after ${heard} s at ${fps}`);
    }
  }
});

test('numbers that are none count as silence, and wrong calls are refused', () => {
  const { model } = randomVoice();
  const broken = samples.slice();
  broken[5000] = Number.NaN;
  broken[5001] = Number.POSITIVE_INFINITY;
  for (const { mouth } of framesOf(model, broken, 25, 4000)) assert.ok(mouth.every(Number.isFinite));
  assert.throws(() => model.stream(5), /fps from 10 to 120, got 5/);
  const stream = model.stream(25);
  stream.end();
  assert.throws(() => stream.push(samples), /has ended/);
  assert.throws(
    () => VoiceModel.of({ shape: { width: 13, dilations: [1] }, network: new Map(), usual: new Float32Array(40) }),
    /enter.weight/,
  );
});

test('the voice that comes with Headrace closes the mouth in silence, and opens it for speech', () => {
  assert.ok(existsSync(shippedVoice));
  const model = VoiceModel.load();
  for (const level of [0, 1e-4]) {
    const silence = Float32Array.from({ length: 3 * voiceRate }, (_, i) => level * Math.sin(i * i));
    const frames = framesOf(model, silence, 25, 5000);
    for (const { mouth, energy, closure } of frames.slice(5)) {
      assert.ok(closure < 0.01, `lips sealed by ${closure} in silence of level ${level}`);
      assert.ok(
        mouth[arkitIndex('jawOpen')]! < 0.03,
        `jawOpen ${mouth[arkitIndex('jawOpen')]} in silence of level ${level}`,
      );
      assert.ok(energy < 0.2);
    }
  }
  const open = framesOf(model, syllables([750, 1300, 2500]), 25, 5000);
  assert.ok(most(open, 'jawOpen') > 0.08, `jawOpen ${most(open, 'jawOpen')} for a`);
});

test('the shipped voice tells of a mood once there is enough speech, as probabilities', () => {
  const frames = framesOf(VoiceModel.load(), syllables([600, 1500, 2500]), 25, 777);
  assert.equal(frames[5]!.emotion, null);
  const { emotion } = frames.at(-1)!;
  assert.ok(emotion);
  const sum = Object.values(emotion).reduce((total, value) => total + value, 0);
  assert.ok(Math.abs(sum - 1) < 1e-5);
  assert.deepEqual(framesOf(VoiceModel.load(), syllables([600, 1500, 2500]), 25, 32000), frames);
});

function most(frames: readonly SpeechFrame[], name: 'jawOpen'): number {
  return Math.max(...frames.map(({ mouth }) => mouth[arkitIndex(name)]!));
}

/** Three syllables a second of a vowel with these formants, by a pulse 120 times a second through resonators. */
function syllables(formants: readonly number[]): Float32Array {
  let sound = Float32Array.from({ length: 2 * voiceRate }, (_, i) => (i % 133 === 0 ? 1 : 0));
  for (const hertz of formants) {
    const radius = Math.exp((-Math.PI * 90) / voiceRate);
    const [a, b] = [2 * radius * Math.cos((2 * Math.PI * hertz) / voiceRate), -radius * radius];
    let [y1, y2] = [0, 0];
    sound = sound.map((x) => {
      const y = (1 - a - b) * x + a * y1 + b * y2;
      [y2, y1] = [y1, y];
      return y;
    });
  }
  const loudest = Math.max(...sound.map(Math.abs));
  return sound.map((x, i) => (0.5 / loudest) * x * Math.max(0, Math.sin((2 * Math.PI * 1.5 * i) / voiceRate)) ** 0.5);
}
