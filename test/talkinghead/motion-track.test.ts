import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { arkitNames, MotionTrack } from 'headrace/talkinghead';
import { scratch } from '../media/support.js';

const at = scratch();

function values(count: number, seed: number, scale = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, (_, i) => {
    state = (state * 48271) % 2147483647;
    return i % 11 === 0 ? 0 : i % 17 === 0 ? -0 : scale * (state / 2147483647) ** 4;
  });
}

const bits = (array: Float32Array | null): Uint32Array | null =>
  array && new Uint32Array(array.buffer, array.byteOffset, array.length);

function same(a: MotionTrack, b: MotionTrack): void {
  assert.deepEqual([a.fps, a.frames], [b.fps, b.frames]);
  for (const field of ['weights', 'pose', 'position', 'gaze'] as const)
    assert.deepEqual(bits(a[field]), bits(b[field]), field);
}

const written = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};

const liveLink = [
  'EyeBlinkLeft,EyeLookDownLeft,EyeLookInLeft,EyeLookOutLeft,EyeLookUpLeft,EyeSquintLeft,EyeWideLeft,EyeBlinkRight',
  'EyeLookDownRight,EyeLookInRight,EyeLookOutRight,EyeLookUpRight,EyeSquintRight,EyeWideRight,JawForward,JawRight,JawLeft',
  'JawOpen,MouthClose,MouthFunnel,MouthPucker,MouthRight,MouthLeft,MouthSmileLeft,MouthSmileRight,MouthFrownLeft',
  'MouthFrownRight,MouthDimpleLeft,MouthDimpleRight,MouthStretchLeft,MouthStretchRight,MouthRollLower,MouthRollUpper',
  'MouthShrugLower,MouthShrugUpper,MouthPressLeft,MouthPressRight,MouthLowerDownLeft,MouthLowerDownRight,MouthUpperUpLeft',
  'MouthUpperUpRight,BrowDownLeft,BrowDownRight,BrowInnerUp,BrowOuterUpLeft,BrowOuterUpRight,CheekPuff,CheekSquintLeft',
  'CheekSquintRight,NoseSneerLeft,NoseSneerRight,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll',
  'RightEyeYaw,RightEyePitch,RightEyeRoll',
].join(',');

/** A line of Live Link Face: all 0 but the columns given. */
function liveLine(timecode: string, given: Readonly<Record<string, number>>): string {
  return [timecode, 61, ...liveLink.split(',').map((name) => given[name] ?? 0)].join(',');
}

test('a track comes back from both kinds of file bit for bit', () => {
  for (const ending of ['csv', 'json']) {
    for (const fps of [25, 29.97, 60, 12.5]) {
      const bare = new MotionTrack({ fps, weights: values(52 * 70, 3) });
      const full = new MotionTrack({
        fps,
        weights: values(52 * 70, 4),
        pose: values(210, 5, -40),
        position: values(210, 6, 9),
        gaze: values(140, 7, 20),
      });
      for (const track of [bare, full]) {
        track.save(at(`track.${ending}`));
        same(MotionTrack.load(at(`track.${ending}`)), track);
      }
    }
  }
  assert.deepEqual(
    readdirSync(dirname(at('x'))).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('a recording of Live Link Face is read: columns by name, radians, its own sense of rolling, rate from the timecode', () => {
  const lines = Array.from({ length: 130 }, (_, i) => {
    const [seconds, frame] = [20 + Math.floor((i + 40) / 60), (i + 40) % 60];
    const jaw = { JawOpen: i / 200, JawRight: 0.25, HeadYaw: 0.1, HeadPitch: -0.2, HeadRoll: 0.3 };
    return liveLine(`17:06:${seconds}:${String(frame).padStart(2, '0')}.831`, {
      ...jaw,
      LeftEyeYaw: 0.2,
      RightEyeYaw: 0.4,
    });
  });
  const path = written('live.csv', `Timecode,BlendShapeCount,${liveLink}\r\n${lines.join('\r\n')}\r\n`);
  const track = MotionTrack.load(path);
  assert.deepEqual([track.fps, track.frames], [60, 130]);
  assert.ok(Math.abs(track.curve('jawOpen')[100]! - 0.5) < 1e-6);
  assert.equal(track.curve('jawRight')[0], 0.25);
  assert.equal(track.curve('jawLeft')[0], 0);
  const degrees = [0.1, -0.2, -0.3].map((value) => (value * 180) / Math.PI);
  for (const [i, value] of degrees.entries()) assert.ok(Math.abs(track.pose[3 + i]! - value) < 1e-5);
  assert.ok(Math.abs(track.gaze![0]! - (0.3 * 180) / Math.PI) < 1e-5);
  assert.equal(MotionTrack.load(path, { fps: 59.94 }).fps, 59.94);
});

test('rows that a phone lost, or wrote without a face, leave a straight line', () => {
  const lines = Array.from({ length: 61 }, (_, i) =>
    liveLine(`00:00:0${Math.floor(i / 30)}:${String(i % 30).padStart(2, '0')}.000`, { JawOpen: i / 100 }),
  );
  lines[20] = '00:00:00:20.000,0';
  lines.splice(40, 3);
  const notes: string[] = [];
  const path = written('gaps.csv', `Timecode,BlendShapeCount,${liveLink}\n${lines.join('\n')}\n`);
  const track = MotionTrack.load(path, { note: (remark) => notes.push(remark) });
  assert.deepEqual([track.fps, track.frames], [30, 61]);
  for (const [i, value] of track.curve('jawOpen').entries()) assert.ok(Math.abs(value - i / 100) < 1e-6, `${i}`);
  assert.match(notes.join('\n'), /1 rows without a face.*\n.*57 rows at uneven times became 61 frames/);
});

test('a simple JSON of names and rows, and that of Audio2Face, are read', () => {
  const notes: string[] = [];
  const note = (remark: string): void => void notes.push(remark);
  const simple = written(
    'simple.json',
    '{"fps": 30, "names": ["JawOpen", "mouthSmile_L"], "rows": [[0.5, 0.25], [1, 0]]}',
  );
  const track = MotionTrack.load(simple, { note });
  assert.deepEqual([...track.curve('jawOpen'), ...track.curve('mouthSmileLeft')], [0.5, 1, 0.25, 0]);
  assert.deepEqual([...track.pose], [0, 0, 0, 0, 0, 0]);
  assert.match(notes.join(), /simple\.json has no eyeBlinkLeft, .*tongueOut: 0 in all frames/);
  const facs = { exportFps: 60, trackPath: 'a.wav', numPoses: 52, numFrames: 1, facsNames: arkitNames };
  const audio2face = written('facs.json', JSON.stringify({ ...facs, weightMat: [arkitNames.map((_, i) => i / 64)] }));
  const other = MotionTrack.load(audio2face);
  assert.deepEqual(
    [...other.weights],
    arkitNames.map((_, i) => i / 64),
  );
  assert.equal(other.fps, 60);
});

test('files that are wrong are refused with the place of the fault', () => {
  const head = 'Timecode,BlendShapeCount,JawOpen,TongueOut,FramesPerSecond';
  const row = (cells: string): string => `00:00:00:00.000,2,${cells},25`;
  const cases: [string, string, RegExp][] = [
    [
      'nan.csv',
      `${head}\n${row('0,0')}\n${row('NaN,0')}\n${row('1,inf')}`,
      /2 faults:\n {2}line 3: expected JawOpen to be a finite number, got 'NaN'\n {2}line 4: .*TongueOut.*'inf'/,
    ],
    ['empty-cell.csv', `${head}\n${row(',0')}`, /line 2: expected JawOpen to be a finite number, got ''/],
    ['ragged.csv', `${head}\n${row('0,0')}\n${row('0')}`, /line 3: expected 5 cells, got 4/],
    ['unknown.csv', `Timecode,JawOpn,MouthClose\n00:00:00:00,0,0`, /got JawOpn\. Is JawOpn meant to be jawOpen\?/],
    ['twice.csv', `JawOpen,jaw_open\n0,0`, /more than one column is called jaw_open/],
    ['none.csv', `a,b\n0,0`, /expected a first line of columns with ARKit's expressions.*got a, b/],
    ['void.csv', '', /expected a first line of columns .*got nothing/],
    ['rows.csv', `${head}\n`, /expected a row for each frame, got none/],
    ['rate.csv', 'JawOpen\n0', /neither a column Timecode nor FramesPerSecond: say how many frames/],
    ['short.csv', 'Timecode,JawOpen\n00:00:01:03.5,0', /too short for its timecodes to tell the frame rate/],
    ['time.csv', 'Timecode,JawOpen\nnoon,0', /line 2: expected a timecode .*got 'noon'/],
    [
      'head.csv',
      'JawOpen,HeadYaw\n0,0',
      /expected the columns HeadYaw, HeadPitch, HeadRoll together; missing: HeadPitch, HeadRoll/,
    ],
    ['quote.csv', 'JawOpen\n"0', /Cannot read .* as CSV/],
    ['nan.json', '{"fps": 25, "names": ["jawOpen"], "rows": [[NaN]]}', /nan\.json to hold a track, but it is damaged/],
    [
      'null.json',
      '{"fps": 25, "names": ["jawOpen"], "rows": [[0], [null]]}',
      /rows\[1\]\[0\] to be a number, got null/,
    ],
    [
      'ragged.json',
      '{"fps": 25, "names": ["jawOpen"], "rows": [[0], [0, 1]]}',
      /expected 1 numbers in rows\[1\], got 2/,
    ],
    [
      'name.json',
      '{"fps": 25, "names": ["jawOpened"], "rows": [[0]]}',
      /got jawOpened\. Is jawOpened meant to be jawOpen\?/,
    ],
    ['fps.json', '{"names": ["jawOpen"], "rows": [[0]]}', /expected fps to be a number above 0, got nothing/],
    [
      'pose.json',
      '{"fps": 25, "names": ["jawOpen"], "rows": [[0]], "pose": [[0, 0]]}',
      /expected 3 numbers in pose\[0\], got 2/,
    ],
    ['count.json', '{"fps": 25, "names": ["jawOpen"], "rows": [[0]], "gaze": []}', /expected gaze to have 1 rows/],
    ['empty.json', '{"fps": 25, "names": ["jawOpen"], "rows": []}', /expected a row for each frame in rows, got none/],
  ];
  for (const [name, text, error] of cases) assert.throws(() => MotionTrack.load(written(name, text)), error, name);
  assert.throws(() => MotionTrack.load(at('track.txt')), /end in \.csv or \.json/);
  assert.throws(() => MotionTrack.load(at('absent.csv')), /Cannot read .*absent\.csv/);
  assert.throws(() => MotionTrack.load(at('fps.json'), { rate: 3 } as object), /among fps, note, got rate/);
});

test('a track that does not hold together cannot be made, and a file that cannot be written leaves the old one', () => {
  assert.throws(() => new MotionTrack({ fps: 25, weights: new Float32Array(53) }), /52 in all, got 53/);
  assert.throws(() => new MotionTrack({ fps: 25, weights: [] }), /at least one frame/);
  assert.throws(() => new MotionTrack({ fps: 0, weights: new Float32Array(52) }), /expected fps above 0/);
  assert.throws(
    () => new MotionTrack({ fps: 25, weights: new Float32Array(52), pose: [0, Number.NaN, 0] }),
    /got NaN in frame 0 of pose, at 1/,
  );
  const track = new MotionTrack({ fps: 25, weights: new Float32Array(52) });
  track.save(at('kept.csv'));
  const before = readFileSync(at('kept.csv'), 'utf8');
  assert.throws(() => track.save(at('nowhere/track.csv')), /Cannot write/);
  assert.equal(readFileSync(at('kept.csv'), 'utf8'), before);
});

test('resampling keeps the duration, straight lines, and at its own rate every bit', () => {
  const weights = new Float32Array(52 * 60);
  for (let frame = 0; frame < 60; frame++) weights[frame * 52 + 17] = frame / 64;
  const pose = Float32Array.from({ length: 180 }, (_, i) => (i % 3 === 0 ? Math.floor(i / 3) / 2 : 7));
  const track = new MotionTrack({ fps: 60, weights, pose, gaze: new Float32Array(120).fill(3) });
  same(track.resample(60), track);
  for (const fps of [25, 30, 48, 59.94, 120]) {
    const other = track.resample(fps);
    assert.equal(other.frames, Math.round(fps));
    assert.ok(Math.abs(other.duration - track.duration) <= 0.5 / fps + 1e-12);
    for (const [i, value] of other.curve('jawOpen').entries()) {
      const expected = Math.min((i * 60) / fps, 59) / 64;
      assert.ok(Math.abs(value - expected) < 1e-6, `${fps}: ${i}`);
      assert.ok(Math.abs(other.pose[3 * i]! - 32 * expected) < 1e-4);
      assert.equal(other.pose[3 * i + 1], 7);
      assert.equal(other.gaze![2 * i], 3);
    }
  }
  assert.equal(track.resample(0.01).frames, 1);
});
