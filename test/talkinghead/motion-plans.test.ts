import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from 'headrace';
import { expressionNames } from 'headrace/media';
import { type EmotionMix, emotionMix, parseEmotion, parsePose, poseAt } from 'headrace/talkinghead';
import { near } from './motion-support.js';

const mix = (text: string, time: number): EmotionMix => emotionMix(parseEmotion(text), time);

/** All that is not given is 0. */
function isMix(found: EmotionMix, expected: Readonly<Partial<Record<keyof EmotionMix, number>>>): void {
  for (const name of expressionNames) near(found[name], expected[name] ?? 0, 1e-9, name);
}

/** The message names the place: what was got, at which character, with a mark under it. */
function refuses(parse: () => unknown, message: RegExp, character: number): void {
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, message);
    assert.match(error.message, new RegExp(`at character ${character}\\.`));
    assert.equal(error.message.split('\n').at(-1), `  ${' '.repeat(character - 1)}^`);
    return true;
  });
}

test('an emotion is a name, in any usual word for it, with a strength', () => {
  isMix(mix('happy', 3), { happy: 1 });
  isMix(mix('happy:0.7', 0), { happy: 0.7 });
  isMix(mix(' Happy : 1.5 ', 0), { happy: 1.5 });
  isMix(mix('neutral', 0), { neutral: 1 });
  const words = { joy: 'happy', happiness: 'happy', anger: 'angry', fear: 'fearful', disgust: 'disgusted' } as const;
  for (const [word, name] of Object.entries(words)) isMix(mix(word, 0), { [name]: 1 });
  isMix(mix('sadness:0.2', 0), { sad: 0.2 });
  isMix(mix('surprise', 0), { surprised: 1 });
});

test('emotions that are shown together add up, but not beyond 1 or the strongest', () => {
  isMix(mix('happy:0.3+sad:0.2', 0), { happy: 0.3, sad: 0.2 });
  isMix(mix('happy:0.3,sad:0.2', 0), { happy: 0.3, sad: 0.2 });
  isMix(mix('happy+surprised', 0), { happy: 0.5, surprised: 0.5 });
  isMix(mix('happy:0.6+surprised:1.2', 0), { happy: 0.4, surprised: 0.8 });
  isMix(mix('happy:0.3+happy:0.2', 0), { happy: 0.5 });
});

test('spans follow one another by ramps of half a second about their border', () => {
  const plan = 'happy:0.7@0-2.5,sad@2.5-';
  isMix(mix(plan, 0), { happy: 0.7 });
  isMix(mix(plan, 2.25), { happy: 0.7 });
  // 3 x^2 - 2 x^3 at 1/4 is 5/32
  isMix(mix(plan, 2.375), { happy: (0.7 * 27) / 32, sad: 5 / 32 });
  isMix(mix(plan, 2.5), { happy: 0.35, sad: 0.5 });
  isMix(mix(plan, 2.75), { sad: 1 });
  isMix(mix(plan, 1000), { sad: 1 });
});

test('outside all spans there is none, and short spans have shorter ramps', () => {
  const plan = parseEmotion('happy@1-1.2', 0.5);
  isMix(emotionMix(plan, 0.89), {});
  isMix(emotionMix(plan, 1.0), { happy: 0.5 });
  isMix(emotionMix(plan, 1.1), { happy: 1 });
  isMix(emotionMix(plan, 1.31), {});
  isMix(emotionMix(parseEmotion('sad@-2', 0), 1.99), { sad: 1 });
  isMix(emotionMix(parseEmotion('sad@-2', 0), 2), {});
  isMix(mix('angry@1:02.5-1:10s', 65), { angry: 1 });
});

test('a strength can grow', () => {
  isMix(mix('happy:0..1@0-4', 1), { happy: 0.25 });
  isMix(mix('happy:1..0.5@0-4,sad@10-', 2), { happy: 0.75 });
});

test('what is heard is taken as it is, its neutral as the photograph’s own expression', () => {
  const heard = { neutral: 0.4, happy: 0.5, sad: 0.1, angry: 0, fearful: 0, disgusted: 0, surprised: 0 };
  isMix(emotionMix(parseEmotion('auto:0.5'), 0, heard), { happy: 0.25, sad: 0.05 });
  isMix(emotionMix(parseEmotion('auto:0.5,angry:0.2'), 0, heard), { happy: 0.25, sad: 0.05, angry: 0.2 });
});

test('emotions that cannot be read are refused at their place', () => {
  const emotion = (text: string) => () => parseEmotion(text);
  refuses(emotion('hapy:0.7'), /one of neutral, happy, .* got 'hapy' .* Did you mean happy\?/, 1);
  refuses(emotion('happy:0.7@0-2.5,sda@2.5-'), /got 'sda'.* Did you mean sad\?/, 17);
  refuses(emotion(''), /got nothing/, 1);
  refuses(emotion('happy, ,sad'), /got nothing/, 8);
  refuses(emotion('happy:2'), /strength of happy, a number from 0 to 1.5, got '2'/, 7);
  refuses(emotion('happy:x'), /got 'x'/, 7);
  refuses(emotion('happy:1e-1'), /got '1e-1'/, 7);
  refuses(emotion('sad,happy:-1'), /got '-1'/, 11);
  refuses(emotion('happy@3-1'), /an end after the start at 3 s, got '1'/, 9);
  refuses(emotion('happy@3-3'), /an end after the start/, 9);
  refuses(emotion('happy@2.5'), /a span of time, got '2.5'.*Write 0-2.5/, 7);
  refuses(emotion('happy@a-'), /a time in seconds/, 7);
  refuses(emotion('happy@0-1:75'), /a time in seconds/, 9);
  refuses(emotion('sad,happy:0..1@3-'), /an end for a strength that grows/, 5);
  refuses(emotion('face.mp4'), /trackMotion/, 1);
  refuses(emotion('face.json'), /MotionTrack\.load/, 1);
  assert.throws(() => parseEmotion('happy', -1), /ramp from 0 to 10 seconds, got -1/);
  assert.throws(() => parseEmotion(1 as unknown as string), /expected a text/);
});

test('poses are numbers, ranges that are swept, and points', () => {
  const at = (text: string, time: number) => poseAt(parsePose(text), time);
  assert.deepEqual(at('yaw=12,pitch=-3,x=0.5', 7), { yaw: 12, pitch: -3, roll: 0, x: 0.5, y: 0, z: 0 });
  for (const [time, yaw] of [
    [0, -15],
    [1.5, 0],
    [3, 15],
    [6, -15],
  ] as const)
    near(at('yaw=-15..15,pitch=0', time).yaw, yaw, 1e-9);
  near(at('yaw=-15..15/4', 1).yaw, 0, 1e-9);
  const points = 'yaw=0@0,20@1.5,-10@3,roll=5@1';
  for (const [time, yaw] of [
    [-1, 0],
    [0, 0],
    [1.5, 20],
    [3, -10],
    [99, -10],
  ] as const)
    near(at(points, time).yaw, yaw, 1e-9);
  near(at(points, 0.75).yaw, 10, 1e-9); // level at both ends of the piece: half way
  near(at(points, 0).roll, 5, 1e-9);
});

test('a curve through points never leaves what is between neighbours', () => {
  const plan = parsePose('yaw=0@0,1@1,10@1.2,10@3,9@5,-20@5.5');
  let last = 0;
  for (let time = 0; time <= 1.2; time += 0.01) {
    const { yaw } = poseAt(plan, time);
    assert.ok(yaw >= last && yaw <= 10);
    last = yaw;
  }
  for (let time = 1.2; time <= 3; time += 0.01) near(poseAt(plan, time).yaw, 10, 1e-9);
});

test('idle, still and absolute are told apart', () => {
  assert.deepEqual(parsePose('still'), { idle: 0, absolute: false, motions: {} });
  assert.equal(parsePose('idle').idle, 1);
  const plan = parsePose('idle:0.5,absolute,yaw=10');
  assert.deepEqual([plan.idle, plan.absolute], [0.5, true]);
});

test('poses that cannot be read are refused at their place', () => {
  const pose = (text: string) => () => parsePose(text);
  refuses(pose('idel'), /Did you mean idle\?/, 1);
  refuses(pose('yaw'), /such as yaw=-15..15, got 'yaw'/, 1);
  refuses(pose(''), /got nothing/, 1);
  refuses(pose('yaw=-15..15,pich=0'), /an axis, one of yaw, .* Did you mean pitch\?/, 13);
  refuses(pose('yaw=5,yaw=6'), /each axis once/, 7);
  refuses(pose('yaw=..5'), /a number from -90 to 90, got nothing/, 5);
  refuses(pose('yaw=0..'), /got nothing/, 8);
  refuses(pose('roll=5,yaw=120'), /yaw, a number from -90 to 90, got '120'/, 12);
  refuses(pose('10@1,yaw=0'), /an axis before the first point/, 1);
  refuses(pose('yaw=0@0,10@1,5@0.5'), /a time after 1 s/, 14);
  refuses(pose('yaw=0,10'), /a point of yaw in time/, 7);
  refuses(pose('yaw=0..5,3@2'), /either a range or points/, 10);
  refuses(pose('yaw=0@x'), /a time in seconds/, 7);
  refuses(pose('yaw=1..2/0'), /seconds to and fro/, 10);
  refuses(pose('idle:9'), /how much of idle/, 6);
  refuses(pose('still,yaw=1'), /still alone/, 1);
  refuses(pose('head.mp4'), /trackMotion/, 1);
  assert.throws(() => parsePose(null as unknown as string), /expected a text/);
});
