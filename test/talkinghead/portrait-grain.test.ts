// Film grain: measured in the photograph, and added where a frame's pixels lack it.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { getNumThreads, setNumThreads } from 'headrace';
import { type RgbImage, readImage } from 'headrace/media';
import { Animation, arkitIndex, type Grain, grainOf, Portrait } from 'headrace/talkinghead';
import { example } from './examples.js';

/** A photograph with grain, and one without. */
let [grainy, plain]: [Portrait?, Portrait?] = [];

/** Numbers from 0 to 1, always the same (a linear congruential generator). */
function* chances(): Generator<number, never> {
  for (let state = 12345; ; ) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    yield state / 2 ** 32;
  }
}

before(async () => {
  const ana = await readImage(example('ana.jpg'));
  plain = await Portrait.load(ana, { size: 256 });
  const chance = chances();
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - chance.next().value)) * Math.cos(2 * Math.PI * chance.next().value);
  const { width, height, data } = plain.frame();
  const noisy = Uint8Array.from(data, (value) => Math.max(0, Math.min(255, Math.round(value + 6 * normal()))));
  grainy = await Portrait.load({ width, height, data: noisy }, { crop: 'full' });
});

/** A turned, speaking head: much of it is looked up between the photograph's pixels, the mouth's inside is drawn. */
function motion({ rest }: Portrait): { weights: Float32Array; pose: { yaw: number } } {
  const weights = rest.weights.slice();
  weights[arkitIndex('jawOpen')] = 0.6;
  return { weights, pose: { yaw: 8 } };
}

/** The grain of the part of a picture around a place. */
function grainAt({ width, data }: RgbImage, [x, y]: readonly [number, number], side: number): Grain {
  const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)];
  const part = new Uint8Array(3 * side * side);
  for (let row = 0; row < side; row++) {
    const from = 3 * ((top + row) * width + left);
    part.set(data.subarray(from, from + 3 * side), 3 * row * side);
  }
  return grainOf({ width: side, height: side, data: part });
}

const landmark = ({ fit }: Portrait, k: number): [number, number] => [fit.landmarks[2 * k]!, fit.landmarks[2 * k + 1]!];

test('cheeks that move have the photograph’s grain again, and so has the inside of a mouth that was closed', () => {
  const portrait = grainy!;
  const [rest, without] = [portrait.frame(), portrait.frame(motion(portrait))];
  const withGrain = portrait.frame({ ...motion(portrait), grain: 1 });
  const [cheekX, cheekY] = landmark(portrait, 41);
  const cheek = [cheekX, cheekY + 0.35 * portrait.fit.eyeDistance] as const;
  const level = (frame: RgbImage, at: readonly [number, number], side: number): number =>
    grainAt(frame, at, side).strength[1];
  const [before, lost, after] = [rest, without, withGrain].map((frame) => level(frame, cheek, 24)) as [
    number,
    number,
    number,
  ];
  assert.ok(lost < 0.85 * before, `${lost} of ${before} without grain`);
  assert.ok(after > 0.85 * before && after < 1.2 * before, `${after} of ${before} with grain`);
  // Of what is drawn between the lips, the part that is smoothest without grain.
  const [left, right] = [landmark(portrait, 60)[0], landmark(portrait, 64)[0]];
  const [top, bottom] = [landmark(portrait, 62)[1], landmark(portrait, 8)[1]];
  let inside: readonly [number, number] = [0, 0];
  for (let y = top; y < bottom; y += 2)
    for (let x = left + 8; x < right - 8; x += 2)
      if (level(without, [x, y], 8) < level(without, inside, 8) || inside[0] === 0) inside = [x, y];
  const [smooth, matched] = [level(without, inside, 8), level(withGrain, inside, 8)];
  assert.ok(smooth < 0.3 * before, `${smooth} of ${before} in the mouth without grain`);
  assert.ok(matched > 3 * smooth && matched < 1.2 * before, `${matched} of ${before} in the mouth with grain`);
});

test('pixels that are the photograph’s own stay so, and a photograph without grain gets next to none', () => {
  const portrait = grainy!;
  const rest = portrait.frame().data;
  const other = portrait.frame({ grain: 3 }).data.filter((value, i) => value !== rest[i]);
  assert.ok(other.length < 0.001 * rest.length, `${other.length} of ${rest.length} bytes`);
  const moved = motion(plain!);
  const [without, withGrain] = [plain!.frame(moved), plain!.frame({ ...moved, grain: 3 })];
  const change = without.data.reduce((sum, value, i) => sum + Math.abs(value - withGrain.data[i]!), 0);
  assert.ok(change / without.data.length < 0.5, `${change / without.data.length}`);
});

test('a seed is a grain, the same bytes on any number of threads, and another seed another grain', () => {
  const portrait = grainy!;
  const first = portrait.frame({ ...motion(portrait), grain: 5 });
  const before = getNumThreads();
  for (const threads of [1, 2, 3]) {
    setNumThreads(threads);
    assert.deepEqual(portrait.frame({ ...motion(portrait), grain: 5 }).data, first.data, `${threads} threads`);
  }
  setNumThreads(before);
  assert.notDeepEqual(portrait.frame({ ...motion(portrait), grain: 6 }).data, first.data);
  assert.throws(() => portrait.frame({ grain: -1 }), /grain to be a whole number from 0/);
});

test('an animation asks for fresh grain in each frame, for the same each time, and for none by default', async () => {
  const { rest, fit } = plain!;
  const seeds = async (options: { grain?: boolean; seed?: number }): Promise<(number | undefined)[]> => {
    const asked: (number | undefined)[] = [];
    const frame = ({ grain }: { readonly grain?: number }): RgbImage => {
      asked.push(grain);
      return plain!.frame();
    };
    const actor = { rest: rest.weights, restPose: fit.pose, restGaze: fit.gaze, frame };
    const speech = { samples: new Float32Array(3200), rate: 16000 };
    for await (const _ of new Animation(actor, { speech, ...options }));
    return asked;
  };
  const first = await seeds({ grain: true });
  assert.equal(new Set(first).size, 5);
  assert.deepEqual(await seeds({ grain: true }), first);
  assert.notDeepEqual(await seeds({ grain: true, seed: 1 }), first);
  assert.deepEqual(await seeds({}), Array(5).fill(undefined));
});
