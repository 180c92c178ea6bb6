// Image folders on the command line: what is said of them, bad images, folders to predict on.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PartsProgress, ReadingProgress, StepProgress } from 'headrace/cli';
import sharp from 'sharp';
import { setVariable } from '../variables.js';
import { headrace, interrupted, lastJson, temporaryFolder } from './run.js';

const folder = temporaryFolder();
setVariable('HEADRACE_CACHE', folder.at('cache'));
after(() => folder.remove());

async function image(name: string, value: number, [height, width] = [12, 12]): Promise<string> {
  const file = folder.at(name);
  mkdirSync(dirname(file), { recursive: true });
  const pixels = Buffer.from(Uint8Array.from({ length: 3 * height! * width! }, (_, i) => value + (i % 7)));
  await sharp(pixels, { raw: { width: width!, height: height!, channels: 3 } })
    .png()
    .toFile(file);
  return file;
}

function text(name: string): string {
  const file = folder.at(name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, 'this is text');
  return file;
}

const train = (...more: string[]): string[] => [
  'train',
  'resnet20',
  '--cut',
  '4',
  '--batch',
  '8',
  '--steps',
  '2',
  ...more,
];

describe('a run on a folder of images', () => {
  const out = folder.at('run');

  before(async () => {
    for (const [n, name] of ['cats', 'dogs'].entries()) {
      for (let i = 0; i < 10; i++) await image(`pets/train/${name}/${i < 5 ? 'deep/' : ''}${i}.png`, 100 * n + i);
      for (let i = 0; i < 3; i++) await image(`pets/valid/${name}/${i}.png`, 100 * n + i);
    }
    text('pets/train/cats/broken.png');
    text('pets/train/cats/read.txt');
  });

  it('names bad images, and how to go on without them', async () => {
    const run = await headrace(train('--data', `folder:${folder.at('pets')}`, '--out', out));
    assert.equal(run.code, 1);
    assert.match(run.stderr, /headrace: Cannot decode the image .*cats\/broken\.png: not an image.*--skip-bad/);
  });

  it('tells what it found, and trains, in memory and lazily to the same numbers', async () => {
    const data = ['--data', `folder:${folder.at('pets')}`, '--skip-bad', '--json'];
    const loaded = await headrace(train(...data, '--out', out));
    assert.equal(loaded.code, 0, loaded.stderr);
    assert.match(loaded.stderr, /headrace: train: 21 images in 2 classes, .*pets\/train\n/);
    assert.match(loaded.stderr, /headrace: test: 6 images in 2 classes, .*pets\/valid\n/);
    assert.match(loaded.stderr, /headrace: classes: cats, dogs; images are decoded into memory\n/);
    assert.match(loaded.stderr, /note: 1 files in train\/ that are no images were passed over \(1 \.txt\)/);
    assert.match(loaded.stderr, /1 images that cannot be read were left out, the first .*broken\.png: not an image/);
    const lazily = await headrace(train(...data, '--lazy', '--out', folder.at('lazy')));
    assert.equal(lazily.code, 0, lazily.stderr);
    assert.match(lazily.stderr, /images are read from their files as batches need them/);
    const numbers = ({ metrics, steps }: Record<string, unknown>): unknown => [metrics, steps];
    assert.deepEqual(numbers(lastJson(lazily)), numbers(lastJson(loaded)));
  });

  it('predicts on folders, and goes on past what is no image', async () => {
    const cat = folder.at('pets/valid/cats');
    const wav = text('nosuch.wav');
    const names = [wav, cat, folder.at('none.png'), folder.at('*.png'), folder.at('pets/valid/dogs/1.png')];
    const json = await headrace(['predict', out, ...names, '--json']);
    assert.equal(json.code, 1);
    const { predictions, failed } = lastJson(json) as {
      predictions: { file: string; class?: string; error?: string }[];
      failed: number;
    };
    assert.equal(failed, 3);
    assert.deepEqual(
      predictions.map(({ file, error }) => [file, error === undefined]),
      [
        [wav, false],
        ...[0, 1, 2].map((i) => [`${cat}/${i}.png`, true]),
        [folder.at('none.png'), false],
        [folder.at('*.png'), false],
        [names[4], true],
      ],
    );
    assert.match(predictions[0]!.error!, /^not an image \(expected one of \.jpg/);
    assert.match(predictions[4]!.error!, /^no such file or folder \(expected images, \.jpg .* or folders of them\)$/);
    assert.match(predictions[5]!.error!, /the shell replaces patterns, and no file matches this one/);
    assert.ok(['cats', 'dogs'].includes(predictions[1]!.class!));
    const shown = await headrace(['predict', out, cat]);
    assert.deepEqual([shown.code, shown.stderr, shown.stdout.trimEnd().split('\n').length], [0, '', 3]);
    const plain = await headrace(['predict', out, wav, cat]);
    assert.deepEqual([plain.code, plain.stdout.trimEnd().split('\n').length], [1, 3]);
    assert.match(plain.stderr, /headrace: .*nosuch\.wav: not an image.*\nheadrace: 1 of 4 could not be classified\n/);
  });

  it('takes transforms by name and as JSON, and refuses unknown ones before it reads images', async () => {
    const data = ['--data', `folder:${folder.at('pets')}`, '--skip-bad', '--json'];
    const named = await headrace(train(...data, '--transforms', 'randAugment,mixup', '--out', folder.at('mixed')));
    assert.equal(named.code, 0, named.stderr);
    const json = '[{"kind":"randomRotation","degrees":10},{"kind":"cutmix","alpha":0.5}]';
    const given = await headrace(train(...data, '--transforms', json, '--out', folder.at('cut')));
    assert.equal(given.code, 0, given.stderr);
    const wrong = await headrace(train(...data, '--transforms', 'randAugmet', '--out', folder.at('no')));
    assert.deepEqual([wrong.code, wrong.stderr.includes('train: ')], [1, false]);
    assert.match(wrong.stderr, /unknown transform .*Did you mean randAugment\?/);
    const again = await headrace(['train', '--resume', out, '--transforms', 'mixup', '--steps', '3']);
    assert.match(again.stderr, /has --transforms unset; it cannot go on with \[\{"kind":"mixup"\}\]/);
  });

  it('names --image-size where images have several sizes', async () => {
    for (const name of ['a', 'b'])
      for (let i = 0; i < 5; i++) await image(`sizes/${name}/${i}.png`, i, [8 + (i % 2), 9]);
    const run = await headrace(train('--data', `folder:${folder.at('sizes')}`, '--out', folder.at('sized')));
    assert.equal(run.code, 1);
    assert.match(
      run.stderr,
      /is 9x9, but .* is 8x9: give a size .*--image-size N\). Of the images .*6 are 8x9, 4 are 9x9/,
    );
  });
});

it('reading tells how far it is once it takes more than two seconds', () => {
  let time = 0;
  let written = '';
  const stream = { write: (line: string) => (written += line), isTTY: true };
  const progress = new ReadingProgress('reading images', stream, () => time);
  for (time = 0; time <= 2000; time += 500) progress.update(time / 10, 1000);
  assert.equal(written, '\r\x1b[Kreading images 200/1000  100 images/s  ETA 0:08');
  progress.finish();
  assert.ok(written.endsWith('\n'));
});

it('parts of a work have a line each, with how long it takes, also where one goes on from its middle', () => {
  let time = 0;
  let written = '';
  const progress = new PartsProgress({ write: (line: string) => (written += line), isTTY: true }, () => time);
  for (const [at, done] of [
    [0, 1],
    [3000, 31],
  ] as const) {
    time = at;
    progress.update('hearing', done, 61);
  }
  assert.equal(written, '\r\x1b[Khearing 31/61  10/s  ETA 0:03');
  written = '';
  for (const [at, done] of [
    [3000, 501],
    [5000, 510],
  ] as const) {
    time = at;
    progress.update('training', done, 1000);
  }
  progress.finish();
  assert.equal(written, '\n\r\x1b[Ktraining 510/1000  5.0/s  ETA 1:38\n');
});

it('steps write over one line on a terminal, and are lines elsewhere where they take more than ten seconds', () => {
  let time = 0;
  let written = '';
  const write = (line: string) => (written += line);
  const shown = new StepProgress('loading a.jpg', { write, isTTY: true }, () => time);
  shown.begin('reading', 1, 2);
  shown.finish();
  assert.equal(written, '\r\x1b[Kloading a.jpg 1/2: reading\r\x1b[K');
  written = '';
  const lines = new StepProgress('loading a.jpg', { write }, () => time);
  lines.begin('reading', 1, 2);
  time = 11_000;
  lines.begin('cutting', 2, 2);
  lines.finish();
  assert.equal(written, 'loading a.jpg 2/2: cutting\n');
});

it('Ctrl-C while images are read says so and ends with 130', async () => {
  for (const name of ['a', 'b'])
    for (let i = 0; i < 150; i++) await image(`many/${name}/${i}.png`, i % 200, [300, 300]);
  const run = await interrupted(
    (attempt) =>
      headrace(train('--data', `folder:${folder.at('many')}`, '--out', folder.at(`stopped-${attempt}`)), {
        whenStarted: (child) => {
          child.stderr?.once('data', () => child.kill('SIGINT')); // what was found is told before the first image is read
        },
      }),
    ({ stderr }) => !stderr.includes('while reading'),
  );
  assert.equal(run.code, 130, run.stderr);
  assert.match(run.stderr, /headrace: stopped while reading images; nothing was written\n$/);
});
