// The verbs of `headrace talk` as a user meets them: errors, and Ctrl-C.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, it } from 'node:test';
import { mediaInfo, type RgbImage, writeImage, writeVideo, writeWav } from 'headrace/media';
import { drawFaces } from '../media/faces-drawing.js';
import { example } from '../talkinghead/examples.js';
import { headrace, interrupted, lastJson, temporaryFolder } from './run.js';

const folder = temporaryFolder();
after(() => folder.remove());

const size = { width: 200, height: 160 };

/** Acts once a condition holds, while the process lives. */
function whenTrue(child: ChildProcess, condition: () => boolean, act: () => void): void {
  const poll = setInterval(() => {
    if (!condition()) return;
    clearInterval(poll);
    act();
  }, 20);
  child.on('close', () => clearInterval(poll));
}

/** Whether the addon is loaded, after which a portrait is. */
function hasAddon({ pid }: ChildProcess): boolean {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'latin1').includes('headrace.node');
  } catch {
    return process.platform !== 'linux'; // or it has ended
  }
}

function* film(frames: number): Generator<RgbImage> {
  for (let k = 0; k < frames; k++) {
    const face = { x: 80 + Math.sin(k / 5), y: 66, eyes: 30, mouth: 0.5 + 0.5 * Math.sin(k / 3) };
    yield { ...size, data: drawFaces(size.width, size.height, [face]) };
  }
}

it('animate says in one line what is wrong with a portrait, a sound or a transcript, and leaves nothing', async () => {
  const wall = { ...size, data: new Uint8Array(3 * size.width * size.height).fill(150) };
  await writeImage(folder.at('wall.png'), wall);
  writeFileSync(folder.at('words.wav'), 'these are words');
  writeFileSync(folder.at('empty.jpg'), '');
  mkdirSync(folder.at('out'));
  const [ana, hello] = [example('ana.jpg'), example('hello.flac')];
  for (const [portrait, audio, more, message] of [
    [folder.at('wall.png'), hello, [], /wall\.png: no face was found \(200 x 160 pixels\)/],
    [folder.at('empty.jpg'), hello, [], /empty\.jpg: the file is empty/],
    [ana, folder.at('words.wav'), [], /words\.wav is not a media file/],
    [ana, hello, ['--face', '1'], /ana\.jpg: expected a face 1, but one was found/],
    [ana, hello, ['--photo', folder.at('wall.png')], /wall\.png: no face was found/],
    // What is wrong with plans and words is told before the portrait is looked at.
    [folder.at('wall.png'), hello, ['--transcript', 'take 2'], /numbers in words.*got '2'/],
    [folder.at('wall.png'), hello, ['--pose', 'nod.mp4'], /No such file: nod\.mp4/],
    [
      folder.at('wall.png'),
      hello,
      ['--pose', 'yaw=90'],
      /within 60 degrees .* got yaw up to 90.* make --pose-scale smaller\n/,
    ],
    [folder.at('wall.png'), hello, ['--emotion', 'hapy'], /got 'hapy' at character 1\. Did you mean happy\?\n/],
    [folder.at('wall.png'), hello, ['--emotion', hello], /hello\.flac: expected a video, got a file without pictures/],
    [
      folder.at('wall.png'),
      hello,
      ['--report', 'no/r.json'],
      /--report in a folder that exists, got no\/r\.json: make no first/,
    ],
  ] as const) {
    const args = ['talk', 'animate', '--portrait', portrait, '--audio', audio, '-o', folder.at('out/o.mp4')];
    const outcome = await headrace([...args, '--size', '64', ...more]);
    assert.equal(outcome.code, 1, outcome.stderr);
    assert.match(outcome.stderr, /^headrace: [^\n]+\n$/);
    assert.match(outcome.stderr, message);
    assert.deepEqual(readdirSync(folder.at('out')), []);
  }
});

it('nothing that is read is written over', async () => {
  await writeVideo(folder.at('said.mp4'), film(5), { fps: 25 });
  writeFileSync(folder.at('face.png'), '');
  const [said, face] = [folder.at('said.mp4'), folder.at('face.png')];
  const before = [readFileSync(said), readFileSync(face)];
  const animate = ['talk', 'animate', '--portrait', face, '--audio', said];
  for (const [args, message] of [
    [[...animate, '-o', said], /--output to be another file than --audio, got \S+said\.mp4 for both/],
    [[...animate, '--report', face, '-o', folder.at('new.mp4')], /--report to end in \.json, got \S+face\.png/],
    [['talk', 'fit', face, '--sheet', face], /--sheet to be another file than the photograph/],
  ] as const) {
    const outcome = await headrace(args);
    assert.equal(outcome.code, 1, outcome.stderr);
    assert.match(outcome.stderr, message);
  }
  assert.deepEqual([readFileSync(said), readFileSync(face)], before);
});

it('remarks name the options of the command line', async () => {
  const faces = [80, 240].map((x) => ({ x, y: 66, eyes: 30, mouth: 0.5 }));
  await writeImage(folder.at('two.png'), { width: 320, height: 160, data: drawFaces(320, 160, faces) });
  const { stderr } = await headrace(['talk', 'fit', folder.at('two.png')]);
  assert.match(stderr, /note: \S+two\.png shows 2 faces: .* choose with --face 0 to 1\n/);
});

it('a cut recording is refused with a way out of the command line, which takes what is there', async () => {
  const sound = Float32Array.from({ length: 16000 }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 300 * i) / 16000));
  await writeWav(folder.at('whole.wav'), { rate: 16000, channels: [sound] });
  writeFileSync(folder.at('cut.wav'), readFileSync(folder.at('whole.wav')).subarray(0, 16044));
  const args = ['talk', 'animate', '--portrait', example('ana.jpg'), '--audio', folder.at('cut.wav'), '--size', '64'];
  const out = ['-o', folder.at('out/cut.mp4'), '--json'];
  const refused = await headrace([...args, ...out]);
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^(loading [^\n]+\n)*headrace: \S+cut\.wav is cut short: it announces 32044 bytes and has 16044\. Copy or record it again, or take what is there with --allow-truncated\n$/,
  );
  assert.deepEqual(readdirSync(folder.at('out')), []);
  const taken = await headrace([...args, ...out, '--allow-truncated', '--preview']);
  assert.equal(taken.code, 0, taken.stderr);
  assert.equal((lastJson(taken) as { frames: number }).frames, 13); // half a second
  assert.equal((await mediaInfo(folder.at('out/cut.mp4'))).video!.width, 64); // a preview is no larger than was asked for
  // A verb without that option does not speak of it, nor of options of code.
  await writeVideo(folder.at('film.mp4'), film(25), { fps: 25 });
  const bytes = readFileSync(folder.at('film.mp4'));
  writeFileSync(folder.at('cut.mp4'), bytes.subarray(0, bytes.length * 0.6));
  const evaluated = await headrace(['talk', 'evaluate', folder.at('cut.mp4'), folder.at('film.mp4')]);
  assert.equal(evaluated.code, 1);
  assert.match(
    evaluated.stderr,
    /cut\.mp4 is cut short: it announces 1\.00 s and ends after 0\.\d\d s\. Copy or record it again\n$/,
  );
});

it('Ctrl-C while a portrait is loaded ends animate at once, and leaves nothing', async () => {
  const args = ['--portrait', example('ana.jpg'), '--audio', example('weather.flac'), '--size', '2048', '--full'];
  let signal: NodeJS.Signals | null = null;
  const outcome = await interrupted(
    () =>
      headrace(['talk', 'animate', ...args, '-o', folder.at('out/stopped.mp4')], {
        whenStarted: (child) => {
          // Such a portrait takes long; the kernel ends the process, and a shell says 130.
          whenTrue(
            child,
            () => hasAddon(child),
            () => child.kill('SIGINT'),
          );
          child.on('exit', (_, by) => {
            signal = by;
          });
        },
      }),
    ({ code }) => code !== null,
  );
  assert.deepEqual([outcome.code, signal, outcome.stdout], [null, 'SIGINT', '']);
  assert.deepEqual(
    readdirSync(folder.at('out')).filter((name) => name.includes('stopped')),
    [],
  );
});

it('prepare names the lists that it made: where nothing became a clip, those of what was rejected', async () => {
  const wall = { width: 96, height: 96, data: new Uint8Array(96 * 96 * 3).fill(120) };
  await writeVideo(folder.at('wall.mp4'), Array(5).fill(wall), { fps: 25 });
  const { code, stdout } = await headrace(['talk', 'prepare', folder.at('wall.mp4'), '--out', folder.at('none')]);
  assert.equal(code, 0);
  assert.match(stdout, /0 clips of 1 videos, 1 rejected\nkept in .*: rejected\.jsonl, README\.md\n$/);
  for (const name of ['rejected.jsonl', 'README.md']) assert.ok(readdirSync(folder.at('none')).includes(name), name);
});

it('Ctrl-C in prepare keeps the clips that are done, and the same command goes on from there', async () => {
  mkdirSync(folder.at('in'));
  // The later ones take long enough for the signal to come while they are under way.
  for (const [k, frames] of [21, 26, 26].entries())
    await writeVideo(folder.at(`in/${k}.mp4`), film(frames), { fps: 25 });
  const rules = ['--size', '96', '--min-frames', '20', '--min-side', '60', '--jobs', '1', '--json'];
  const args = ['talk', 'prepare', folder.at('in'), '--out', folder.at('clips'), ...rules];
  const journal = (): string[] => {
    try {
      return readFileSync(folder.at('clips/videos.jsonl'), 'utf8').trim().split('\n').filter(Boolean);
    } catch {
      return [];
    }
  };
  const stop = (child: ChildProcess): void =>
    whenTrue(
      child,
      () => journal().length > 0,
      () => child.kill('SIGINT'),
    );
  const outcome = await interrupted(
    () => {
      rmSync(folder.at('clips'), { recursive: true, force: true });
      return headrace(args, { whenStarted: stop });
    },
    ({ code }) => code === 0,
  );
  assert.equal(outcome.code, 130, outcome.stderr);
  assert.match(outcome.stderr, /headrace: stopping; what is done is kept\n/);
  assert.match(outcome.stderr, /stopped: \d clips of \d videos, 0 rejected so far; the same command goes on/);
  const { clips, stopped } = lastJson(outcome) as { clips: number; stopped: boolean };
  assert.ok(stopped && clips >= 1 && clips < 3, `${clips} clips`);
  const first = readFileSync(folder.at('clips/clips/in_0-00.mp4'));
  const lines = journal();
  assert.equal(lines.length, clips);
  const again = await headrace(args);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(lastJson(again), { out: folder.at('clips'), videos: 3, clips: 3, rejected: [], stopped: false });
  assert.deepEqual(journal().slice(0, clips), lines);
  assert.ok(readFileSync(folder.at('clips/clips/in_0-00.mp4')).equals(first));
  assert.deepEqual(
    readdirSync(folder.at('clips/clips')).filter((name) => name.endsWith('.mp4')),
    ['in_0-00.mp4', 'in_1-00.mp4', 'in_2-00.mp4'],
  );
});
