import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from 'headrace';
import {
  arkitIndex,
  arkitWeights,
  emotionWeights,
  lipGap,
  type MotionFrame,
  MotionTrack,
  motionFrames,
  Performer,
  type PerformerOptions,
  recordMotion,
  type SpeechFrame,
} from 'headrace/talkinghead';
import { near } from './motion-support.js';
import { randomNumbers } from './numbers.js';

/** Syllables five times a second, stressed now and then, in phrases of two seconds with pauses of one. */
function speech(frames: number, fps: number): SpeechFrame[] {
  return Array.from({ length: frames }, (_, i) => {
    const time = i / fps;
    const loud = time % 3 < 2 ? 0.5 + 0.4 * Math.sin(2 * Math.PI * 5 * time) : 0;
    const stress = loud > 0 && Math.floor(time * 5) % 4 === 0 ? loud : 0;
    return { mouth: arkitWeights({ jawOpen: 0.3 * loud }), closure: 0, energy: loud, stress };
  });
}

const perform = (options: PerformerOptions, said: readonly (SpeechFrame | null)[]): MotionFrame[] => {
  const performer = new Performer(options);
  return said.map((frame) => performer.next(frame));
};
const silent = (frames: number): null[] => new Array<null>(frames).fill(null);
const still = { pose: 'still', gaze: 'still', blinks: false } as const;
const blinkAt = arkitIndex('eyeBlinkLeft');

test('without motion the photograph’s own expression stays, bit for bit', () => {
  const random = randomNumbers(4);
  const rest = Float32Array.from({ length: 52 }, random);
  for (const frame of perform({ fps: 25, rest, ...still }, silent(5)))
    assert.deepEqual(frame, { weights: rest, pose: { yaw: 0, pitch: 0, roll: 0 } });
  const [first] = perform({ fps: 25, rest, restGaze: { yaw: 3, pitch: -2 } }, silent(1));
  assert.deepEqual(first!.weights, rest);
  assert.deepEqual(first!.gaze, { yaw: 3, pitch: -2 });
});

test('parted lips stay as photographed until somebody speaks, and rest in pauses from then on', () => {
  const rest = arkitWeights({ jawOpen: 0.35, mouthSmileLeft: 0.4, mouthSmileRight: 0.4 });
  const said = [...silent(10), ...speech(50, 25), ...silent(60)];
  const frames = perform({ fps: 25, rest, ...still }, said);
  for (const { weights } of frames.slice(0, 10)) assert.deepEqual(weights, rest);
  for (const { weights } of frames.slice(-5)) {
    near(lipGap(weights), 0.4, 5e-3);
    near(weights[arkitIndex('mouthSmileLeft')]!, 0.4, 1e-6);
  }
  // Closed lips stay as they are, with a jaw that is a little open behind them.
  const closed = arkitWeights({ jawOpen: 0.13, mouthClose: 0.1, mouthPucker: 0.07 });
  for (const { weights } of perform({ fps: 25, rest: closed, ...still }, said).slice(-3))
    near(weights[arkitIndex('jawOpen')]!, 0.13, 1e-3);
});

test('a seed gives one performance, another seed another, whatever is asked for between', () => {
  const said = speech(200, 25);
  const one = perform({ fps: 25, seed: 7, emotion: 'sad@2-' }, said);
  const performer = new Performer({ fps: 25, seed: 7, emotion: 'sad@2-' });
  const other = new Performer({ fps: 25, seed: 8 });
  for (const [i, frame] of said.entries()) {
    other.next(null);
    assert.deepEqual(performer.next(frame), one[i]);
  }
  assert.notDeepEqual(perform({ fps: 25, seed: 8, emotion: 'sad@2-' }, said), one);
  // What is still to come does not count.
  assert.deepEqual(perform({ fps: 25, seed: 7, emotion: 'sad@2-' }, said.slice(0, 50)), one.slice(0, 50));
});

test('the head sways alike at any frame rate', () => {
  const slow = perform({ fps: 25 }, silent(250));
  const quick = perform({ fps: 50 }, silent(500));
  for (const [i, { pose }] of slow.entries()) near(pose.yaw, quick[2 * i]!.pose.yaw, 1e-9);
});

test('an idle head moves, little, starts from rest and does not jump', () => {
  const frames = perform({ fps: 25, seed: 2 }, silent(25 * 120));
  assert.deepEqual(frames[0]!.pose, { yaw: 0, pitch: 0, roll: 0 });
  for (const [axis, least, most] of [
    ['yaw', 1, 4],
    ['pitch', 0.5, 2.5],
    ['roll', 0.5, 2.5],
  ] as const) {
    const angles = frames.map(({ pose }) => pose[axis]);
    const deviation = Math.sqrt(angles.reduce((sum, angle) => sum + angle ** 2, 0) / angles.length);
    assert.ok(deviation > least && deviation < most, `${axis}: ${deviation}`);
    for (let i = 1; i < angles.length; i++) assert.ok(Math.abs(angles[i]! - angles[i - 1]!) < 1.2);
  }
});

/** Where the lids begin to close, in seconds. */
function blinks(frames: readonly MotionFrame[], fps: number): number[] {
  const closed = frames.map(({ weights }) => weights[blinkAt]!);
  return closed.flatMap((value, i) => (i > 0 && value > 0 && closed[i - 1] === 0 ? [i / fps] : []));
}

test('blinks come as a Poisson process does, after a while in which none comes', () => {
  const times = [1, 2, 3].flatMap((seed) => {
    const found = blinks(perform({ fps: 25, seed, ...still, blinks: true }, silent(25 * 1500)), 25);
    return found.slice(1).map((time, i) => time - found[i]!);
  });
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  // 0.08 + 0.04 + 0.2 of the blink, 0.6 of rest, 3.4 of waiting
  near(mean, 4.32, 0.3);
  const least = Math.min(...times);
  assert.ok(least > 0.75 && least < 1.1, `least ${least}`);
  // Waiting beyond the least has the deviation of an exponential: its mean.
  const deviation = Math.sqrt(times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / times.length);
  near(deviation, 3.4, 0.4);
});

test('each blink shuts the lids in one frame at least, falls in less time than it opens, at any rate', () => {
  for (const fps of [12, 25, 60]) {
    const frames = perform({ fps, ...still, blinks: true }, silent(fps * 120)).map(({ weights }) => weights[blinkAt]!);
    let [count, falling, opening] = [0, 0, 0];
    for (let i = 1; i < frames.length; i++) {
      if (frames[i]! > 0 && frames[i - 1] === 0) {
        const end = frames.indexOf(0, i);
        if (end < 0) break;
        const one = frames.slice(i, end);
        near(Math.max(...one), 1, 1e-6);
        falling += one.indexOf(1);
        opening += one.length - 1 - one.lastIndexOf(1);
        count++;
      }
    }
    assert.ok(count > 15);
    if (fps === 60) assert.ok(opening > 1.8 * falling, `${falling} falling, ${opening} opening`);
  }
});

test('people blink more where a phrase ends', () => {
  const said = speech(25 * 900, 25);
  const times = blinks(perform({ fps: 25, ...still, blinks: true }, said), 25).map((time) => time % 3);
  const share = times.filter((time) => time > 2 && time < 2.5).length / times.length;
  assert.ok(share > 0.35, `${share} in a sixth of the time`);
});

test('stressed syllables bring nods, of idle heads alone, and raised brows', () => {
  const said = speech(500, 25);
  const brows = arkitIndex('browInnerUp');
  const spoken = perform({ fps: 25 }, said);
  const mute = perform(
    { fps: 25 },
    said.map((frame) => ({ ...frame, stress: 0 })),
  );
  const nods = spoken.map(({ pose }, i) => pose.pitch - mute[i]!.pose.pitch);
  assert.ok(Math.min(...nods) < -0.8 && Math.max(...nods) <= 1e-9);
  assert.ok(Math.max(...spoken.map(({ weights }) => weights[brows]!)) > 0.1);
  assert.equal(Math.max(...mute.map(({ weights }) => weights[brows]!)), 0);
  for (const { pose } of perform({ fps: 25, pose: 'yaw=3' }, said))
    assert.deepEqual(pose, { yaw: 3, pitch: 0, roll: 0 });
});

test('poses are what was asked for, times the scale, and from the camera where that was asked for', () => {
  const at = (options: Partial<PerformerOptions>, frame: number) =>
    perform({ fps: 10, blinks: false, ...options }, silent(frame + 1))[frame]!;
  near(at({ pose: 'yaw=-15..15/6' }, 30).pose.yaw, 15, 1e-9);
  near(at({ pose: 'yaw=-15..15/6', poseScale: 0.5 }, 30).pose.yaw, 7.5, 1e-9);
  const restPose = { yaw: 8, pitch: -3 };
  assert.deepEqual(at({ pose: 'absolute,yaw=10', restPose }, 1).pose, { yaw: 2, pitch: 0, roll: 0 });
  assert.deepEqual(at({ pose: 'yaw=10', restPose }, 1).pose, { yaw: 10, pitch: 0, roll: 0 });
  assert.deepEqual(at({ pose: 'x=2@0,0@1,yaw=1', poseScale: 2 }, 0).position, [4, 0, 0]);
  assert.equal(at({ pose: 'yaw=1' }, 0).position, undefined);
});

test('eyes stay on the viewer as the head turns, the lids with them', () => {
  const [frame] = perform({ fps: 25, pose: 'yaw=10,pitch=10', blinks: false }, silent(1));
  near(frame!.gaze!.yaw, -9, 1e-6);
  near(frame!.gaze!.pitch, -9, 1e-6);
  near(frame!.weights[arkitIndex('eyeLookDownLeft')]!, 0.3, 1e-6);
  near(frame!.weights[arkitIndex('eyeLookOutRight')]!, 0.3, 1e-6); // to the viewer's left: the right eye's outer side
  const far = perform({ fps: 25, pose: 'yaw=60' }, silent(1))[0]!;
  near(far.gaze!.yaw, -24, 1e-6);
  const fixed = perform({ fps: 25, pose: 'idle', gaze: { yaw: 5, pitch: 0 } }, silent(40));
  for (const { gaze } of fixed) assert.deepEqual(gaze, { yaw: 5, pitch: 0 });
});

function ramp(frames: number, fps = 25): MotionTrack {
  const pose = Float32Array.from({ length: 3 * frames }, (_, i) => (i % 3 === 0 ? 5 + i / 3 : 0));
  const weights = Float32Array.from({ length: 52 * frames }, (_, i) =>
    i % 52 === arkitIndex('browInnerUp') ? (1 + Math.floor(i / 52)) / 10 : 0,
  );
  return new MotionTrack({ fps, weights, pose });
}

test('a track that is too short goes on backwards, and forwards again', () => {
  const frames = perform({ fps: 25, pose: ramp(4) }, silent(10));
  assert.deepEqual(
    frames.map(({ pose }) => pose.yaw),
    [5, 6, 7, 8, 7, 6, 5, 6, 7, 8],
  );
  const one = perform({ fps: 25, pose: ramp(1) }, silent(3));
  assert.deepEqual(
    one.map(({ pose }) => pose.yaw),
    [5, 5, 5],
  );
});

test('a track’s head is followed from the camera, or by its change; at any frame rate', () => {
  const yaws = (options: Partial<PerformerOptions>, frames: number): number[] =>
    perform({ fps: 50, restPose: { yaw: 2 }, ...options }, silent(frames)).map(({ pose }) => pose.yaw);
  for (const [i, yaw] of yaws({ pose: ramp(4) }, 7).entries()) near(yaw, 3 + i / 2, 1e-5);
  for (const [i, yaw] of yaws({ pose: { track: ramp(4), relative: true } }, 7).entries()) near(yaw, i / 2, 1e-5);
});

test('a track’s face is followed as it is, or by its change', () => {
  const rest = arkitWeights({ browInnerUp: 0.3, mouthSmileLeft: 0.5 });
  const brows = (options: Partial<PerformerOptions>): number[] =>
    perform({ fps: 25, rest, pose: 'still', ...options }, silent(3)).map(
      ({ weights }) => Math.round(weights[arkitIndex('browInnerUp')]! * 1000) / 1000,
    );
  assert.deepEqual(brows({ emotion: ramp(4) }), [0.1, 0.2, 0.3]);
  assert.deepEqual(brows({ emotion: ramp(4), emotionScale: 0.5 }), [0.2, 0.25, 0.3]);
  assert.deepEqual(brows({ emotion: { track: ramp(4), relative: true } }), [0.3, 0.4, 0.5]);
});

test('of a track’s mouth the mood stays and the syllables go, unless it is kept', () => {
  const [jaw, smile] = [arkitIndex('jawOpen'), arkitIndex('mouthSmileLeft')];
  const weights = new Float32Array(52 * 250);
  for (let i = 0; i < 250; i++) {
    weights[52 * i + jaw] = 0.2 + 0.2 * Math.sin((2 * Math.PI * 4 * i) / 25);
    weights[52 * i + smile] = 0.5;
  }
  const track = new MotionTrack({ fps: 25, weights });
  const range = (emotion: PerformerOptions['emotion'], at: number): number => {
    const values = perform({ fps: 25, ...still, emotion }, silent(250)).map((frame) => frame.weights[at]!);
    return Math.max(...values.slice(25, 225)) - Math.min(...values.slice(25, 225));
  };
  assert.ok(range(track, jaw) < 0.03);
  near(range({ track, keepMouth: true }, jaw), 0.4, 0.01);
  near(perform({ fps: 25, ...still, emotion: track }, silent(1))[0]!.weights[smile]!, 0.5, 1e-5);
});

test('an emotion that is heard comes up within a second, and is asked for where there is none', () => {
  const heard = { neutral: 0, happy: 1, sad: 0, angry: 0, fearful: 0, disgusted: 0, surprised: 0 };
  const said = speech(100, 25).map((frame) => ({ ...frame, mouth: new Float32Array(52), emotion: heard }));
  const smile = perform({ fps: 25, ...still, emotion: 'auto' }, [...silent(10), ...said]).map(
    ({ weights }) => weights[arkitIndex('cheekSquintLeft')]! / emotionWeights.happy[arkitIndex('cheekSquintLeft')]!,
  );
  assert.equal(smile[9], 0);
  assert.ok(smile[15]! < 0.8);
  assert.ok(smile[35]! > 0.95);
  near(smile.at(-1)!, 1, 1e-3);
  const performer = new Performer({ fps: 25, emotion: 'auto' });
  performer.next(null);
  assert.throws(() => performer.next(speech(1, 25)[0]!), /Emotion 'auto' needs frames of speech with an emotion/);
});

test('a performance becomes a track, which plays as it was', () => {
  const said = speech(60, 25);
  const options = { fps: 25, seed: 3, emotion: 'happy:0.5' };
  const track = recordMotion(new Performer(options), said);
  const frames = perform(options, said);
  assert.equal(track.frames, 60);
  const round = ({ pose, position, gaze }: MotionFrame): number[] =>
    [pose.yaw, pose.pitch, pose.roll, ...position!, gaze!.yaw, gaze!.pitch].map(Math.fround);
  for (const [i, frame] of [...motionFrames(track)].entries()) {
    assert.deepEqual(frame.weights, frames[i]!.weights);
    assert.deepEqual(round(frame), round(frames[i]!));
  }
  const again = perform({ fps: 25, pose: track, emotion: { track, keepMouth: true } }, silent(60));
  for (const [i, frame] of again.entries()) {
    assert.deepEqual(frame.weights, frames[i]!.weights);
    assert.deepEqual(round(frame), round(frames[i]!));
  }
  assert.equal(recordMotion(new Performer({ fps: 30, ...still }), 45).duration, 1.5);
  assert.throws(() => recordMotion(new Performer({ fps: 30 }), []), /at least one frame/);
});

test('options that cannot be used are refused', () => {
  const refused: readonly [Record<string, unknown>, RegExp][] = [
    [{ fps: 0 }, /fps above 0/],
    [{ seed: 0.5 }, /seed to be a whole number/],
    [{ rest: [1, 2] }, /52 finite weights/],
    [{ emotions: 'happy' }, /Did you mean emotion\?/],
    [{ emotion: 'hapy' }, /Did you mean happy\?/],
    [{ emotion: 5 }, /expected a text/],
    [{ emotion: {} }, /emotion as text, a plan or a track/],
    [{ emotion: { track: 'a.csv' } }, /track to be a MotionTrack/],
    [{ pose: { track: ramp(2), from: 1 } }, /options of pose among track, relative/],
    [{ pose: { idle: 1 } }, /pose as text, a plan or a track/],
    [{ poseScale: -1 }, /poseScale to be a number from 0 to 5/],
    [{ emotionScale: 3 }, /emotionScale to be a number from 0 to 2/],
    [{ mouthScale: Number.NaN }, /mouthScale to be a number from 0 to 3/],
    [{ gaze: 'away' }, /gaze to be 'viewer', 'still'/],
    [{ restPose: { jaw: 1 } }, /restPose/],
    [{ blinks: 'no' }, /blinks true or false/],
  ];
  for (const [options, message] of refused) {
    assert.throws(
      () => new Performer({ fps: 25, ...options }),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test('a surprised jaw drops where nobody speaks, gives way as a mouth begins to, and drops again after it', () => {
  const jaw = arkitIndex('jawOpen');
  const mute = { mouth: arkitWeights({}), closure: 0, energy: 0, stress: 0 };
  const quiet = { ...mute, mouth: arkitWeights({ jawOpen: 0.1 }) }; // opens before it is heard
  const loud = { ...quiet, energy: 0.6 };
  const frames = (said: readonly SpeechFrame[]) => perform({ fps: 25, emotion: 'surprised', ...still }, said);
  const jaws = frames([
    mute,
    ...Array<SpeechFrame>(4).fill(quiet),
    ...Array<SpeechFrame>(20).fill(loud),
    ...silent(40).map(() => mute),
  ]);
  const drop = emotionWeights.surprised[jaw]!;
  near(jaws[0]!.weights[jaw]!, drop, 1e-6);
  const alone = lipGap(quiet.mouth);
  near(lipGap(jaws[4]!.weights), alone, 0.05 * lipGap(emotionWeights.surprised));
  near(lipGap(jaws[24]!.weights), alone, 0.001);
  near(jaws[64]!.weights[jaw]!, drop, 0.001);
});
