import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { mediaInfo, type RgbImage, writeVideo } from 'headrace/media';
import { layoutLabels, Preparation, PreparedClips, type VideoOutcome } from 'headrace/talkinghead';
import { type DrawnFace, drawFaces } from '../media/faces-drawing.js';
import { near } from '../media/faces-support.js';
import { all, beeps, damageMedia, realData, remux, scratch } from '../media/support.js';
import { retime } from './retime.js';

const size = { width: 200, height: 160 };

/** A video of drawn faces, 1.2 s, with sound unless it says none. */
async function film(
  path: string,
  faces: readonly DrawnFace[],
  { fps = 25, seconds = 1.2, sound = true, lying = false } = {},
): Promise<void> {
  function* pictures(): Generator<RgbImage> {
    for (let i = 0; i < Math.round(seconds * fps); i++) {
      const moved = faces.map((face) => ({ ...face, mouth: 0.5 + 0.5 * Math.sin(i / 3), x: face.x + Math.sin(i / 5) }));
      const picture = { ...size, data: drawFaces(size.width, size.height, moved) };
      yield lying ? laid(picture) : picture;
    }
  }
  const audio = { samples: beeps(16000, seconds, [0.4]), rate: 16000 };
  await writeVideo(path, pictures(), { fps, ...(sound && { audio }) });
}

/** A picture as a telephone stores it that is held upright: what is shown at (width - 1 - q, p) lies at (p, q). */
function laid({ width, height, data }: RgbImage): RgbImage {
  const turned = new Uint8Array(data.length);
  for (let q = 0; q < width; q++) {
    for (let p = 0; p < height; p++) {
      const from = 3 * (p * width + (width - 1 - q));
      turned.set(data.subarray(from, from + 3), 3 * (q * height + p));
    }
  }
  return { width: height, height: width, data: turned };
}

const speaker: DrawnFace = { x: 80, y: 66, eyes: 30 };
const rules = { size: 96, minFrames: 20, minSide: 60, jobs: 1 } as const;

test('videos become clips, or lines with reasons, and a second run finds all done', async () => {
  const file = scratch();
  mkdirSync(file('in'));
  // As telephones film: 29.97 a second, stored lying, to be shown upright.
  await film(file('ntsc.mp4'), [speaker], { fps: 30000 / 1001, lying: true });
  await remux(file('ntsc.mp4'), file('in/phone.mov'), { matrix: [0, 1, 0, -1, 0, 0, 0, 0, 1] });
  await film(file('even.mp4'), [speaker], { fps: 30 });
  await retime(file('even.mp4'), file('in/variable.mp4'), (time) => time + 0.012 * Math.sin(40 * time));
  await film(file('in/mute.mp4'), [speaker], { sound: false });
  await film(file('in/nobody.mp4'), [], { seconds: 0.4 });
  await film(file('in/two.mp4'), [
    { ...speaker, x: 60, y: 60 },
    { x: 160, y: 110, eyes: 17 },
  ]);
  await film(file('in/short.mp4'), [speaker], { seconds: 0.4 });
  writeFileSync(file('in/torn.mp4'), 'no video');
  const seen: VideoOutcome[] = [];
  const options = { ...rules, onVideo: (outcome: VideoOutcome) => void seen.push(outcome) };
  const found = await new Preparation([file('in')], file('out'), options).run();
  assert.equal(seen.length, 7);
  const reasons = Object.fromEntries(
    found.rejected.map(({ video, reason }) => [video.slice(file('in').length + 1), reason]),
  );
  assert.match(reasons['nobody.mp4']!, /^no face was found in any of 10 frames$/);
  assert.match(reasons['short.mp4']!, /^too short: 10 frames \(0\.40 s\) with a face, where 20 are the least/);
  assert.match(reasons['torn.mp4']!, /torn\.mp4 is not a media file/);
  const clips = Object.fromEntries(found.clips.map((clip) => [clip.id, clip]));
  const one = (name: string) => clips[`in_${name}-00`]!;
  for (const name of ['phone', 'variable', 'mute', 'two']) near(one(name).frames, 30, 1, `frames of ${name}`);
  assert.deepEqual([one('mute').sound, one('two').sound], [false, true]);
  assert.ok(one('mute').notes.includes('no sound'));
  assert.equal(one('two').faces, 2);
  assert.match(one('two').notes[0]!, /2 faces at once/);

  const prepared = PreparedClips.open(file('out'));
  assert.equal(prepared.length, found.clips.length);
  for (const [i, { id, frames, sound }] of prepared.clips.entries()) {
    const info = await mediaInfo(file(`out/clips/${id}.mp4`));
    assert.deepEqual([info.video!.width, info.video!.height, info.video!.fps], [96, 96, 25]);
    near(info.video!.duration!, frames / 25, 1e-3, `seconds of ${id}`);
    if (sound) assert.equal((await prepared.sound(i))!.samples.length, frames * 640);
  }
  const index = prepared.clips.findIndex(({ id }) => id === 'in_two-00');
  const window = await prepared.window(index, 9, 5);
  assert.deepEqual([window.frames.shape, window.frames.dtype], [[5, 3, 96, 96], 'uint8']);
  // The tone of 0.4 s begins with frame 10.
  assert.deepEqual(
    [window.sound!.length, window.sound!.findIndex((value) => Math.abs(value) > 0.1) >= 630],
    [3200, true],
  );
  assert.equal((await all(prepared.frames(index))).length, prepared.clips[index]!.frames);
  const numbers = prepared.numbers(index);
  const frames = prepared.clips[index]!.frames;
  assert.deepEqual(numbers.landmarks.shape, [frames, 68, 2]);
  assert.deepEqual(numbers.weights.shape, [frames, 52]);
  const jaw = prepared.track(index).curve('jawOpen');
  assert.ok(Math.max(...jaw) - Math.min(...jaw) > 0.1, 'the jaw of a mouth that opens moves');
  // Where the face was drawn, in the clip's pixels.
  const [x, y, side] = prepared.clips[index]!.square;
  const points = numbers.landmarks.select(0, 0).data() as Float32Array;
  const eye = [36, 37, 38, 39, 40, 41].reduce((sum, k) => sum + points[2 * k]! / 6, 0);
  near(eye, ((60 - 15 - x) * 96) / side, 2, 'the left eye');
  assert.ok(y >= 0);
  assert.match(readFileSync(file('out/README.md'), 'utf8'), /`landmarks` \[F, 68, 2\]/);
  assert.ok(existsSync(file('out/sheet.jpg')));

  seen.length = 0;
  const lists = () => readFileSync(file('out/clips.jsonl'), 'utf8');
  const before = lists();
  await new Preparation([file('in')], file('out'), options).run();
  assert.deepEqual([seen.length, lists()], [0, before]);
  await assert.rejects(
    new Preparation([file('in')], file('out'), { ...rules, fps: 30 }).run(),
    /prepared with other settings \(fps 25, not 30\)/,
  );
});

test('a run that was stopped goes on, over torn journals and what was left half made; changed videos are made anew', async () => {
  const file = scratch();
  mkdirSync(file('in'));
  for (const name of ['a', 'b']) await film(file(`in/${name}.mp4`), [speaker], { seconds: 0.9 });
  const first = new Preparation([file('in')], file('out'), { ...rules, onVideo: () => first.stop() });
  const stopped = await first.run();
  assert.deepEqual([stopped.stopped, stopped.clips.map(({ id }) => id)], [true, ['in_a-00']]);
  writeFileSync(file('out/clips/in_b-00.wav'), 'left over');
  writeFileSync(file('out/clips/.in_b-00.x.mp4'), 'left over');
  writeFileSync(file('out/videos.jsonl'), `${readFileSync(file('out/videos.jsonl'), 'utf8')}{"video":"tor`);
  const made: string[] = [];
  const onVideo = ({ id }: VideoOutcome) => void made.push(id);
  const whole = await new Preparation([file('in')], file('out'), { ...rules, onVideo }).run();
  assert.deepEqual([whole.stopped, made, whole.clips.length], [false, ['in_b'], 2]);
  assert.deepEqual(
    readdirSync(file('out/clips')).sort(),
    ['a', 'b'].flatMap((name) => ['mp4', 'npz', 'wav'].map((ending) => `in_${name}-00.${ending}`)),
  );
  utimesSync(file('in/a.mp4'), 1, 1);
  made.length = 0;
  await new Preparation([file('in')], file('out'), { ...rules, onVideo }).run();
  assert.deepEqual(made, ['in_a']);
  rmSync(file('in'), { recursive: true });
  assert.equal(PreparedClips.open(file('out')).length, 2);
});

test('what is damaged in a video is told, and the rest becomes a clip', async () => {
  const file = scratch();
  mkdirSync(file('in'));
  await film(file('whole.mp4'), [speaker]);
  damageMedia(file('whole.mp4'), file('in/damaged.mp4'), 0.55, 0.95);
  const told: string[] = [];
  const onVideo = ({ notes = [] }: VideoOutcome): void => void told.push(...notes);
  const found = await new Preparation([file('in')], file('out'), { ...rules, minFrames: 5, onVideo }).run();
  assert.match(told[0]!, /damaged\.mp4: its video is damaged from \d\.\d\d s on/);
  assert.match(told[1]!, /damaged\.mp4: its audio is damaged from \d\.\d\d s on/);
  assert.match(found.clips[0]!.notes.join(), /its audio is damaged/);
});

test('what cannot be prepared is refused', async () => {
  const file = scratch();
  mkdirSync(file('in'));
  const run = (inputs: string[], options = {}) => new Preparation(inputs, file('out'), options).run();
  await assert.rejects(run([file('absent')]), /No such file or folder/);
  await assert.rejects(run([file('in')]), /expected videos, or folders of videos, found none/);
  writeFileSync(file('in/x.mp4'), '');
  await assert.rejects(run([file('in')], { layout: 'mead' }), /named as in mead, found 1 of other names/);
  assert.throws(() => new Preparation([], 'x', { size: 97 }), /size to be even/);
  assert.throws(() => new Preparation([], 'x', { fps: 0 }), /fps to be a number from 1 to 240, got number 0/);
  assert.throws(() => new Preparation([], 'x', { minFrames: 10, maxFrames: 5 }), /maxFrames .* from 10/);
  assert.throws(() => new Preparation([], 'x', { minframes: 3 } as never), /Did you mean minFrames/);
  assert.throws(() => PreparedClips.open(file('in')), /prepare\.json/);
});

const labels = (path: string) => {
  const { layout, person, sex, emotion, level, view, text, more } = layoutLabels(path);
  return [layout, person, sex, emotion, level, view, text, more];
};

test('official names of data sets tell person, emotion, level, view and words', () => {
  assert.deepEqual(labels('MEAD/M003/video/left_30/surprised/level_2/017.mp4'), [
    'mead',
    'M003',
    'male',
    'surprised',
    2,
    'left_30',
    null,
    { sentence: '017' },
  ]);
  assert.deepEqual(labels('W009/video/front/fear/level_3/001.mp4').slice(0, 5), [
    'mead',
    'W009',
    'female',
    'fearful',
    3,
  ]);
  assert.deepEqual(labels('CREMA-D/VideoFlash/1001_DFA_ANG_XX.flv'), [
    'crema-d',
    '1001',
    null,
    'angry',
    null,
    'front',
    "Don't forget a jacket",
    { sentence: 'DFA' },
  ]);
  assert.deepEqual(labels('1076_IEO_HAP_HI.flv').slice(1, 5), ['1076', null, 'happy', 3]);
  assert.deepEqual(labels('Video_Speech_Actor_12/Actor_12/01-01-06-02-02-01-12.mp4'), [
    'ravdess',
    'Actor_12',
    'female',
    'fearful',
    2,
    'front',
    'Dogs are sitting by the door',
    { channel: 'speech', repetition: '01' },
  ]);
  assert.deepEqual(labels('s12/video/mpg_6000/lrwp9a.mpg').slice(0, 7), [
    'grid',
    's12',
    null,
    null,
    null,
    'front',
    'lay red with p nine again',
  ]);
  assert.deepEqual(labels('grid/s1_bbaf2n.mpg').slice(1, 7), [
    's1',
    null,
    null,
    null,
    'front',
    'bin blue at f two now',
  ]);
  assert.deepEqual(labels('s4/pgwyzs.mpg')[6], 'place green with y zero soon');
  assert.deepEqual(labels('HDTF/WDA_BarackObama_001.mp4').slice(0, 2), ['hdtf', 'WDA_BarackObama']);
  assert.deepEqual(labels('HDTF/RD_Radio34_009.mp4')[7], { source: 'RD', part: '009' });
  assert.deepEqual(labels('dev/mp4/id00012/21Uxsk56VDQ/00001.mp4').slice(0, 2), ['voxceleb', 'id00012']);
  assert.deepEqual(labels('train/id10280#NXjT3732Ekg#001093#001192.mp4')[7], {
    video: 'NXjT3732Ekg',
    from: '001093',
    to: '001192',
  });
  for (const other of ['holiday.mp4', 'M003/video/front/angry/001.mp4', 'bbaw2n.mpg', 's1/bbaf0n.mpg'])
    assert.equal(layoutLabels(other).layout, null, other);
});

test('a layout keeps its sound and its doubles where it keeps them', async () => {
  const file = scratch();
  const folder = file('M003/video/front/happy/level_1');
  mkdirSync(folder, { recursive: true });
  await film(`${folder}/001.mp4`, [speaker], { sound: false, seconds: 0.9 });
  mkdirSync(file('M003/audio/happy/level_1'), { recursive: true });
  const { writeWav } = await import('headrace/media');
  writeWav(file('M003/audio/happy/level_1/001.wav'), { channels: [beeps(16000, 0.9, [0.2])], rate: 16000 });
  mkdirSync(file('Actor_01'));
  writeFileSync(file('Actor_01/02-01-06-01-02-01-01.mp4'), 'the same picture without sound');
  const found = await new Preparation([file('M003'), file('Actor_01')], file('out'), rules).run();
  assert.equal(found.rejected.length, 0);
  assert.deepEqual(
    found.clips.map(({ person, emotion, level, sound }) => [person, emotion, level, sound]),
    [['M003', 'happy', 1, true]],
  );
  const [rest, held] = PreparedClips.open(file('out')).splitPeople(['M003']);
  assert.deepEqual([rest.length, held.length], [0, 1]);
});

const grid = realData('grid');

test('a clip of GRID keeps its frames and its sound', { skip: grid.skip }, async () => {
  const file = scratch();
  const video = `${grid.path}/s1_bbaf2n.mpg`;
  const { clips, rejected } = await new Preparation([video], file('out'), { jobs: 1 }).run();
  assert.deepEqual([clips.length, rejected.length], [1, 0]);
  const [{ frames, person, text, sound }] = clips as [(typeof clips)[number]];
  assert.deepEqual([frames, person, text, sound], [75, 's1', 'bin blue at f two now', true]);
});
