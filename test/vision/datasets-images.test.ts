/** Image folders as people have them: folders in folders, links, odd names, bad files; in memory and read as needed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { DataLoader, type ImageBatch } from 'headrace/data';
import type { Tensor } from 'headrace/torch';
import { type Found, imageFiles, loadDataset, readImageFiles } from 'headrace/vision';
import sharp from 'sharp';
import { crc32 } from '../io/crc.js';
import { setVariable } from '../variables.js';

const root = mkdtempSync(join(tmpdir(), 'headrace-images-'));
setVariable('HEADRACE_CACHE', join(root, 'cache'));
after(() => rmSync(root, { recursive: true, force: true }));

const [height, width] = [6, 8];

/** An image of one colour: (n, 2 n, 3 n). */
function flat(n: number, size = [height, width]): Buffer {
  return Buffer.from(Array.from({ length: size[0]! * size[1]! }, () => [n, 2 * n, 3 * n]).flat());
}

function put(path: string, content: Buffer | string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  return file;
}

async function image(path: string, n: number, size = [height, width]): Promise<string> {
  const raw = { width: size[1]!, height: size[0]!, channels: 3 } as const;
  return put(path, await sharp(flat(n, size), { raw }).png().toBuffer());
}

const reds = (images: Tensor): number[] => images.select(1, 0).select(1, 0).select(1, 0).tolist() as number[];

test('folders in a class are read in the order of torchvision, links and odd names with them', async () => {
  const names = ['b.PNG', 'a.jpeg.png', 'z/1.png', 'z/deep/2.png', 'z-1/3.png', 'ä ö.png', '😀.png', '\uffee.png'];
  for (const [i, name] of names.entries()) await image(`nested/train/cat/${name}`, i + 1);
  await image('nested/train/dog/1.Png', 20);
  put('nested/train/cat/.hidden.png', 'nothing');
  put('nested/train/cat/.folder/1.png', 'nothing');
  put('nested/train/cat/read.txt', 'nothing');
  await image('elsewhere/5.png', 9);
  symlinkSync(join(root, 'elsewhere'), join(root, 'nested/train/cat/link'));
  symlinkSync(join(root, 'nested/train/cat'), join(root, 'nested/train/cat/z/loop'));
  await image('nested/valid/cat/1.png', 30);
  await image('nested/valid/dog/sub/1.png', 31);
  let told: Found | null = null;
  const data = await loadDataset(`folder:${join(root, 'nested')}`, { onFound: (found) => (told = found) });
  // sorted(os.walk): the folders as texts ('z-1' before 'z/deep'), the files of each by code points.
  assert.deepEqual(reds(data.train.images), [2, 1, 6, 8, 7, 9, 3, 5, 4, 20]);
  assert.deepEqual(data.train.labels.tolist(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(reds(data.test.images), [30, 31]);
  assert.deepEqual(told, data.found);
  const { parts, notes, classes, lazy } = data.found as Found;
  assert.deepEqual(
    parts.map(({ name, from, ...counts }) => [name, from.slice(root.length), counts]),
    [
      ['train', '/nested/train', { images: 10, classes: 2 }],
      ['test', '/nested/valid', { images: 2, classes: 2 }],
    ],
  );
  assert.deepEqual(
    [classes, lazy, notes],
    [['cat', 'dog'], false, ['1 files in train/ that are no images were passed over (1 .txt)']],
  );
});

test('so few images that none can be held out are said to be too few', async () => {
  for (const name of ['a', 'b']) await image(`few/${name}/1.png`, 1);
  await assert.rejects(loadDataset(`folder:${join(root, 'few')}`), {
    name: 'DataError',
    message: /few: expected images enough to hold out a fifth of each class, found 2 in 2 classes: add images, or put/,
  });
});

test('a fifth is held out where there is no other part, and what is not read is told', async () => {
  for (const name of ['a', 'b']) for (let i = 0; i < 10; i++) await image(`one/Train/${name}/${i}.png`, i);
  await image('one/Train/loose.png', 1);
  await image('one/test/1.png', 1); // as in competitions: without labels
  await image('one/extra/a/1.png', 1);
  const { found, train, test: held } = await loadDataset(`folder:${join(root, 'one')}`);
  assert.deepEqual([train.length, held.length], [16, 4]);
  assert.match(found?.parts[1]?.from ?? '', /Train \(a fifth of each class, held out\)$/);
  const notes = found?.notes.join('\n') ?? '';
  assert.match(notes, /test\/ holds no folders of classes, so its images have no labels: not read/);
  assert.match(notes, /extra\/ is not read/);
  assert.match(notes, /1 images in .*Train itself belong to no class: not read/);
  // A class may be called train: it is a part only where it holds classes.
  for (const name of ['bus', 'train']) for (let i = 0; i < 5; i++) await image(`vehicles/${name}/${i}.png`, i);
  assert.deepEqual((await loadDataset(`folder:${join(root, 'vehicles')}`)).classes, ['bus', 'train']);
});

test('test/ comes before valid/, and empty classes are named all at once', async () => {
  for (const part of ['train', 'valid', 'test'])
    for (const name of ['a', 'b']) await image(`three/${part}/${name}/1.png`, 5);
  const { found } = await loadDataset(`folder:${join(root, 'three')}`);
  assert.deepEqual([found?.parts[1]?.from, found?.notes], [join(root, 'three/test'), ['valid/ is not read']]);
  for (const name of ['a', 'b']) rmSync(join(root, `three/train/${name}/1.png`));
  put('three/train/a/1.txt', 'no image');
  await assert.rejects(loadDataset(`folder:${join(root, 'three')}`), /train\/a, .*train\/b hold no image \(\.jpg/);
});

/** Bad images of every kind, and what is said of each. */
async function badImages(): Promise<[name: string, content: Buffer, told: RegExp][]> {
  const raw = { width: 64, height: 64, channels: 3 } as const;
  const noise = sharp(Buffer.from(Uint8Array.from({ length: 3 * 64 * 64 }, (_, i) => (i * i) >> 3)), { raw });
  const [png, jpeg, gif, webp] = [noise.clone().png(), noise.clone().jpeg(), noise.clone().gif(), noise.clone().webp()];
  const half = async (of: ReturnType<typeof sharp>): Promise<Buffer> => {
    const whole = await of.toBuffer();
    return whole.subarray(0, whole.length >> 1);
  };
  return [
    ['cut.png', await half(png), /cut short or damaged/],
    ['cut.jpg', await half(jpeg), /cut short or damaged/],
    ['cut.gif', await half(gif), /cut short or damaged/],
    ['cut.webp', await half(webp), /cut short or damaged/],
    ['empty.jpg', Buffer.alloc(0), /the file is empty \(0 bytes\)/],
    ['text.png', Buffer.from('this is no image'), /not an image/],
    ['cut.bmp', Buffer.from('BM and no more'), /BMP/],
    ['cut.ppm', Buffer.from('P6\n4 4\n255\nabc'), /cut short: expected 48 bytes of pixels, got 3/],
    ['header.pgm', Buffer.from('P5\n4'), /cut short or damaged: expected a number/],
  ];
}

test('all bad images are named at once, and can be left out', async () => {
  const bad = await badImages();
  for (const name of ['a', 'b']) for (let i = 0; i < 10; i++) await image(`bad/${name}/${i}.png`, i);
  for (const [name, content] of bad) put(`bad/a/${name}`, content);
  symlinkSync(join(root, 'nowhere.png'), join(root, 'bad/b/gone.png'));
  const spec = `folder:${join(root, 'bad')}`;
  for (const lazy of [false, true]) {
    await assert.rejects(loadDataset({ spec, lazy }), (error: Error) => {
      assert.equal(error.name, 'DataError');
      assert.match(error.message, /^Cannot decode 10 of 30 images:\n/);
      for (const [name, , told] of bad) {
        const line = error.message.split('\n').find((text) => text.includes(`bad/a/${name}: `));
        assert.match(line ?? `${name} is not named`, told);
      }
      assert.match(error.message, /bad\/b\/gone\.png: no such file/);
      assert.match(error.message, /Leave them out with skipBad: true$/);
      return true;
    });
    for (const again of [false, true]) {
      const { train, test: held, found } = await loadDataset({ spec, lazy, skipBad: true });
      assert.equal(train.length + held.length, 20, again ? 'from the cache' : '');
      assert.deepEqual(found?.skipped.length, 10);
      assert.equal(
        found?.parts.reduce((sum, { images }) => sum + images, 0),
        20,
      );
    }
  }
  for (let i = 0; i < 5; i++) put(`bad/a/more${i}.png`, 'text');
  await assert.rejects(loadDataset(spec), /\n {2}and 5 more\n/);
});

/** A PNG of one pixel that says it has more. */
async function swollen(width: number, height: number): Promise<Buffer> {
  const png = await sharp(flat(1, [1, 1]), { raw: { width: 1, height: 1, channels: 3 } })
    .png()
    .toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

test('images that would swell to far more than they are, other kinds of files and named pipes are refused at once', async () => {
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>';
  const pipe = join(root, 'pipe.png');
  execFileSync('mkfifo', [pipe]);
  const cases: [string, RegExp][] = [
    [put('swollen.png', await swollen(10_000, 10_000)), /too large: 10000x10000 pixels in \d+ bytes, where 89478485/],
    [put('drawing.png', drawing), /not an image, or cut off in its first bytes/],
    [pipe, /a special file, not an image/],
  ];
  for (const [path, told] of cases) await assert.rejects(imageFiles([path], [3, 4, 4]), told);
  // Just below, it is the missing pixels that are told of.
  await assert.rejects(imageFiles([put('near.png', await swollen(9_000, 9_900))], [3, 4, 4]), /cut short or damaged/);
});

test('a class that has bad images only is named', async () => {
  for (let i = 0; i < 5; i++) await image(`allbad/a/${i}.png`, i);
  for (let i = 0; i < 5; i++) put(`allbad/b/${i}.png`, 'text');
  const options = { spec: `folder:${join(root, 'allbad')}`, skipBad: true };
  await assert.rejects(loadDataset(options), /That leaves no image to train on of b/);
});

test('every kind of picture gives the bytes that it shows', async () => {
  const raw = { width: 2, height: 2, channels: 1 } as const;
  const wide = Uint16Array.of(0x1234, 0xff00, 0x00ff, 0x8080);
  const cases: [name: string, content: Buffer, red: number[]][] = [
    [
      'grey.png',
      await sharp(Buffer.of(1, 2, 3, 4), { raw })
        .png()
        .toBuffer(),
      [1, 2, 3, 4],
    ],
    ['grey16.png', await sharp(wide, { raw }).toColourspace('grey16').png().toBuffer(), [0x12, 0xff, 0, 0x80]],
    [
      'greyAlpha.png',
      await sharp(Buffer.of(9, 0, 8, 255, 7, 10, 6, 200), { raw: { ...raw, channels: 2 } })
        .png()
        .toBuffer(),
      [9, 8, 7, 6],
    ],
    // EXIF 6: the picture is to be turned a quarter clockwise.
    [
      'turned.png',
      await sharp(Buffer.of(1, 2, 3, 4), { raw })
        .withMetadata({ orientation: 6 })
        .png()
        .toBuffer(),
      [3, 1, 4, 2],
    ],
    ['plain.pgm', Buffer.from('P2\n# a remark\n2 2\n255\n1 2\n3 4\n'), [1, 2, 3, 4]],
    ['raw.pgm', Buffer.from([...Buffer.from('P5 2 2 255\n'), 1, 2, 3, 4]), [1, 2, 3, 4]],
    ['wide.pgm', Buffer.from([...Buffer.from('P5 2 2 65535\n'), 1, 1, 255, 255, 0, 0, 128, 128]), [1, 255, 0, 128]],
    ['raw.ppm', Buffer.from([...Buffer.from('P6\n2 2\n15\n'), 1, 9, 9, 2, 9, 9, 3, 9, 9, 15, 9, 9]), [17, 34, 51, 255]],
    ['bits.pgm', Buffer.from([...Buffer.from('P4\n2 2\n'), 0b01000000, 0b10000000]), [255, 0, 0, 255]],
    [
      'named.jpg',
      await sharp(Buffer.of(5, 6, 7, 8), { raw })
        .png()
        .toBuffer(),
      [5, 6, 7, 8],
    ], // what it is counts
  ];
  for (const [name, content, red] of cases) {
    const { images } = await imageFiles([put(`kinds/${name}`, content)], [3, 2, 2]);
    assert.deepEqual((images.select(1, 0).tolist() as number[][][]).flat(2), red, name);
  }
  const cmyk = await sharp(flat(40), { raw: { width, height, channels: 3 } })
    .toColourspace('cmyk')
    .jpeg()
    .toBuffer();
  const { images } = await imageFiles([put('kinds/cmyk.jpg', cmyk)], [3, height, width]);
  for (const [c, expected] of [40, 80, 120].entries()) {
    const value = images.select(1, c).to({ dtype: 'float32' }).mean().item();
    assert.ok(Math.abs(value - expected) < 30, `channel ${c} of CMYK: ${value}`);
  }
  const frames = Buffer.concat([flat(10), flat(60)]);
  const film = sharp(frames, { raw: { width, height: 2 * height, channels: 3, pageHeight: height } });
  const animated = await imageFiles([put('kinds/film.gif', await film.gif().toBuffer())], [3, height, width]);
  assert.ok(
    Math.abs(animated.images.select(1, 0).to({ dtype: 'float32' }).mean().item() - 10) < 4,
    'the first picture',
  );
});

test('files to predict on: those that cannot be read do not stop the rest', async () => {
  const good = await image('some/1.png', 7);
  const text = put('some/2.wav', 'RIFF');
  const { images, paths, bad } = await readImageFiles([text, good, join(root, 'none.png')], [3, 4, 4]);
  assert.deepEqual([images?.length, paths, reds(images!.images)], [1, [good], [7]]);
  assert.match(bad[0]!.reason, /not an image \(expected one of \.jpg/);
  assert.deepEqual(bad[1], { path: join(root, 'none.png'), reason: 'no such file' });
  await assert.rejects(imageFiles([text], [3, 4, 4]), /Cannot decode the image .*2\.wav: not an image/);
});

/** A batch that outlives the next. */
function kept(batch: ImageBatch): ImageBatch {
  for (const each of Object.values(batch)) each.keep();
  return batch;
}

async function lazyAndNot(options: object): Promise<[loaded: ImageBatch[][], lazily: ImageBatch[][]]> {
  for (const name of ['a', 'b']) for (let i = 0; i < 12; i++) await image(`lazy/${name}/${i}.png`, 3 * i, [9, 10]);
  const batches = async (lazy: boolean): Promise<ImageBatch[][]> => {
    const data = await loadDataset({ spec: `folder:${join(root, 'lazy')}`, lazy, ...options } as { spec: string });
    const all: ImageBatch[][] = [];
    for (const [set, transform] of [
      [data.train, data.trainTransforms],
      [data.test, data.testTransforms],
    ] as const) {
      const loader = new DataLoader(set, { batchSize: 5, shuffle: true, seed: 4, transform });
      const part: ImageBatch[] = [];
      for await (const batch of loader.stream(1)) part.push(kept(batch));
      all.push(part);
    }
    return all;
  };
  return [await batches(false), await batches(true)];
}

const bits = (parts: ImageBatch[][]): unknown =>
  parts.map((part) => part.map(({ images, labels }) => [Buffer.from(images.bytes()).toString('hex'), labels.tolist()]));

test('a lazy folder gives the bits of one in memory, at any size, limit and place', async () => {
  for (const options of [{}, { size: [4, 6] }, { limit: 7, seed: 3 }]) {
    const [loaded, lazily] = await lazyAndNot(options);
    assert.deepEqual(bits(lazily), bits(loaded));
  }
  const data = await loadDataset({ spec: `folder:${join(root, 'lazy')}`, lazy: true });
  assert.equal(data.found?.lazy, true);
  const options = { batchSize: 4, shuffle: true, seed: 1, transform: data.trainTransforms };
  const whole: ImageBatch[] = [];
  for await (const batch of new DataLoader(data.train, options).stream(2)) whole.push(kept(batch));
  for (const numWorkers of [0, 1, 2]) {
    const rest: ImageBatch[] = [];
    for await (const batch of new DataLoader(data.train, { ...options, numWorkers }).stream(2, 2))
      rest.push(kept(batch));
    assert.deepEqual(bits([rest]), bits([whole.slice(2)]), `${numWorkers} threads`);
  }
  const { images, labels } = await data.train.getItem(3);
  assert.deepEqual([images.shape, labels.tolist()], [[3, 9, 10], 0]);
  assert.throws(() => new DataLoader(data.train, options).batch(0, 0), /gives promises/);
});

test('given statistics, a lazy folder is opened at once, and a bad file is named by the batch that needs it', async () => {
  for (const name of ['a', 'b']) for (let i = 0; i < 5; i++) await image(`late/${name}/${i}.png`, i);
  put('late/a/bad.png', 'text');
  const statistics = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  let decoded = 0;
  const options = { spec: `folder:${join(root, 'late')}`, lazy: true, size: 8, statistics } as const;
  const data = await loadDataset(options, { onProgress: () => decoded++ });
  assert.deepEqual([decoded, data.mean], [0, [0.5, 0.5, 0.5]]);
  const loader = new DataLoader(data.train, { batchSize: 100 });
  await assert.rejects(loader.stream(0).next(), /Cannot decode the image .*late\/a\/bad\.png: not an image/);
});

test('an abort ends the reading of a folder', async () => {
  for (const name of ['a', 'b']) for (let i = 0; i < 20; i++) await image(`abort/${name}/${i}.png`, i);
  const controller = new AbortController();
  const onProgress = (done: number): void => {
    if (done === 5) controller.abort(new Error('enough'));
  };
  const loading = loadDataset(`folder:${join(root, 'abort')}`, { onProgress, signal: controller.signal });
  await assert.rejects(loading, /enough/);
});

test('augmentation of your own: late transforms after scaling, classes filled in, mistakes told', async () => {
  const spec = 'mnist';
  const limit = 20;
  const augment = [
    { kind: 'mixup', alpha: 0.2 },
    { kind: 'randomRotation', degrees: 10 },
    { kind: 'randomErasing' },
  ] as const;
  const { trainTransforms } = await loadDataset({ spec, limit, augment });
  assert.deepEqual(
    trainTransforms.map(({ kind }) => kind),
    ['randomRotation', 'toFloat', 'normalise', 'mixup', 'randomErasing'],
  );
  assert.deepEqual(trainTransforms[3], { kind: 'mixup', alpha: 0.2, classes: 10 });
  const wrong = [{ kind: 'randomRotaton', degrees: 10 }] as unknown as typeof augment;
  await assert.rejects(loadDataset({ spec, limit, augment: wrong }), /Did you mean randomRotation\?/);
  const typo = { spec, limit, sise: 3 };
  await assert.rejects(loadDataset(typo), /got sise\. Did you mean size\?/);
  await assert.rejects(loadDataset({ spec, skipBad: true }), /skipBad applies to folder: data only/);
});
