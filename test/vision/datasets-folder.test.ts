import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { loadDataset } from 'headrace/vision';
import sharp from 'sharp';
import { temporaryFolder } from '../io/helpers.js';
import { setVariable } from '../variables.js';

const folder = temporaryFolder();
const cache = join(folder, 'cache');
setVariable('HEADRACE_CACHE', cache);

/** RGB of image `n` at (y, x). */
const colour = (n: number, y: number, x: number): number[] => [n * 20, y * 15, x * 15];

function raw(n: number, height: number, width: number): Buffer {
  const bytes: number[] = [];
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) bytes.push(...colour(n, y, x));
  return Buffer.from(bytes);
}

async function writeImage(path: string, n: number, height = 6, width = 8): Promise<void> {
  mkdirSync(join(path, '..'), { recursive: true });
  await sharp(raw(n, height, width), { raw: { width, height, channels: 3 } }).toFile(path);
}

/** An uncompressed 24-bit bitmap from its public description: rows from the bottom, BGR, padded to 4 bytes. */
function bmp(n: number, height: number, width: number): Buffer {
  const stride = Math.ceil((width * 3) / 4) * 4;
  const out = Buffer.alloc(54 + stride * height);
  out.write('BM');
  for (const [at, value] of [
    [2, out.length],
    [10, 54],
    [14, 40],
    [18, width],
    [22, height],
  ] as const)
    out.writeUInt32LE(value, at);
  out.writeUInt16LE(1, 26);
  out.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out.set(colour(n, y, x).reverse(), 54 + stride * (height - 1 - y) + 3 * x);
  }
  return out;
}

test('train and test folders read, every format the same, in order of class and name', async () => {
  const dir = join(folder, 'both');
  await writeImage(join(dir, 'train/ants/b.png'), 1);
  await writeImage(join(dir, 'train/ants/a.PNG'), 2);
  await writeImage(join(dir, 'train/bees/a.webp'), 3); // lossy: compared loosely
  writeFileSync(join(dir, 'train/bees/b.bmp'), bmp(4, 6, 8));
  writeFileSync(join(dir, 'train/bees/notes.txt'), 'not an image');
  writeFileSync(join(dir, 'train/.hidden'), '');
  await writeImage(join(dir, 'test/ants/a.png'), 5);
  await writeImage(join(dir, 'test/bees/a.tiff'), 6);
  const data = await loadDataset(`folder:${dir}`);
  assert.deepEqual(
    [data.classes, data.inputShape],
    [
      ['ants', 'bees'],
      [3, 6, 8],
    ],
  );
  assert.deepEqual(
    [data.train.labels.tolist(), data.test.labels.tolist()],
    [
      [0, 0, 1, 1],
      [0, 1],
    ],
  );
  const images = data.train.images.tolist() as unknown as number[][][][];
  for (const [row, n] of [
    [0, 2],
    [1, 1],
    [3, 4],
  ] as const) {
    for (let y = 0; y < 6; y++) {
      for (let x = 0; x < 8; x++)
        assert.deepEqual(
          [0, 1, 2].map((c) => images[row]?.[c]?.[y]?.[x]),
          colour(n, y, x),
          `image ${row}`,
        );
    }
  }
  assert.ok(Math.abs((images[2]?.[0]?.[3]?.[3] as number) - 60) < 25);
});

test('decoded images are kept until a file changes', async () => {
  const dir = join(folder, 'cached');
  for (const [i, name] of ['a/1', 'a/2', 'b/1', 'b/2'].entries()) {
    await writeImage(join(dir, 'train', `${name}.png`), i);
    await writeImage(join(dir, 'test', `${name}.png`), i);
  }
  const decoded: number[] = [];
  const load = async (): Promise<number[]> => {
    decoded.length = 0;
    const data = await loadDataset(`folder:${dir}`, { onProgress: (done) => decoded.push(done) });
    return [...data.train.images.bytes(), ...data.mean];
  };
  const first = await load();
  assert.deepEqual(decoded, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([await load(), decoded], [first, []]);
  const kept = readdirSync(cache);
  await writeImage(join(dir, 'train/a/1.png'), 9);
  utimesSync(join(dir, 'train/a/1.png'), 1, 1);
  assert.notDeepEqual(await load(), first);
  assert.equal(decoded.length, 8);
  assert.equal(readdirSync(cache).length, kept.length, 'the older state was replaced');
  rmSync(cache, { recursive: true });
  await load();
  assert.ok(existsSync(cache));
});

test('a damaged cache is made again, with a warning', async (t) => {
  const dir = join(folder, 'damaged');
  for (const name of ['train/a/1', 'train/b/1', 'test/a/1', 'test/b/1']) await writeImage(join(dir, `${name}.png`), 1);
  const before = existsSync(cache) ? readdirSync(cache) : [];
  await loadDataset(`folder:${dir}`);
  const [name] = readdirSync(cache).filter((file) => !before.includes(file));
  writeFileSync(join(cache, name as string), 'broken');
  const warn = t.mock.method(process, 'emitWarning', () => {});
  assert.equal((await loadDataset(`folder:${dir}`)).train.length, 2);
  assert.match(String(warn.mock.calls[0]?.arguments[0]), /The cache of .*damaged is damaged and will be made again/);
});

test('class folders alone are split by seed, a fifth of each class', async () => {
  const dir = join(folder, 'alone');
  for (let i = 0; i < 10; i++) for (const name of ['x', 'y']) await writeImage(join(dir, name, `${i}.png`), i);
  const load = async (seed: number): Promise<number[]> => {
    const { train, test: held } = await loadDataset({ spec: `folder:${dir}`, seed });
    assert.deepEqual([train.length, held.labels.tolist()], [16, [0, 0, 1, 1]]);
    return held.images.select(1, 0).select(1, 0).select(1, 0).tolist() as number[];
  };
  assert.deepEqual(await load(0), await load(0));
  assert.notDeepEqual(await load(0), await load(1));
});

test('images of several sizes need a size', async () => {
  const dir = join(folder, 'sizes');
  for (const part of ['train', 'val']) {
    await writeImage(join(dir, part, 'a/1.png'), 1);
    await writeImage(join(dir, part, 'b/1.png'), 2, 12, 10);
  }
  await assert.rejects(
    loadDataset(`folder:${dir}`),
    /b.1\.png is 12x10, but .*a.1\.png is 6x8: give a size to resize them all to/,
  );
  const data = await loadDataset({ spec: `folder:${dir}`, size: [4, 5] });
  assert.deepEqual([data.inputShape, data.test.length], [[3, 4, 5], 2]);
  await assert.rejects(loadDataset({ spec: `folder:${dir}`, size: 0 }), /size: expected pixels/);
});

test('what is wrong with a folder is said with its path', async () => {
  const dir = join(folder, 'wrong');
  await assert.rejects(loadDataset(`folder:${dir}`), /No folder .*wrong/);
  await writeImage(join(dir, 'train/a/1.png'), 1);
  await assert.rejects(loadDataset(`folder:${dir}`), /a folder for each of two or more classes, found a/);
  mkdirSync(join(dir, 'train/b'));
  await assert.rejects(loadDataset(`folder:${dir}`), /train.b holds no image/);
  await writeImage(join(dir, 'train/b/1.png'), 1);
  await writeImage(join(dir, 'test/b/1.png'), 1);
  await writeImage(join(dir, 'test/c/1.png'), 1);
  await assert.rejects(loadDataset(`folder:${dir}`), /classes only in train: a; only in test: c/);
  rmSync(join(dir, 'test'), { recursive: true });
  writeFileSync(join(dir, 'train/b/2.png'), Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0]));
  await assert.rejects(loadDataset(`folder:${dir}`), {
    name: 'DataError',
    message: /Cannot decode the image .*b.2\.png/,
  });
});

/** Packed real images, where the machine has them: see the folder's own README. */
function realCifar(): string | null {
  const root = dirname(createRequire(import.meta.url).resolve('headrace/package.json'));
  const packed = join(process.env.HEADRACE_TEST_DATA ?? join(root, '..', 'shared', 'data'), 'cifar10');
  return existsSync(join(packed, 'header.jpg.bin')) ? packed : null;
}

test('real CIFAR-10 images in a folder have the known colours', async (t) => {
  const packed = realCifar();
  if (packed === null) return t.skip('no cifar10 in ../shared/data or $HEADRACE_TEST_DATA');
  const dir = join(folder, 'real');
  const read = (name: string): Buffer => readFileSync(join(packed, name));
  const { classes } = JSON.parse(read('meta.json').toString()) as { classes: string[] };
  const [header, scans, labels] = [read('header.jpg.bin'), read('test.scan.bin'), read('test.labels.u8')];
  const index = read('test.idx.u32');
  for (let i = 0; i < 400; i++) {
    const at = join(dir, i < 300 ? 'train' : 'test', classes[labels[i] as number] as string);
    mkdirSync(at, { recursive: true });
    const scan = scans.subarray(index.readUInt32LE(4 * i), index.readUInt32LE(4 * i + 4));
    writeFileSync(join(at, `${i}.jpg`), Buffer.concat([header, scan]));
  }
  const { train, test: held, inputShape, mean, std } = await loadDataset(`folder:${dir}`);
  assert.deepEqual([train.length, held.length, inputShape], [300, 100, [3, 32, 32]]);
  for (const [c, expected] of [0.4914, 0.4822, 0.4465].entries())
    assert.ok(Math.abs((mean[c] as number) - expected) < 0.03, `${mean}`);
  for (const [c, expected] of [0.247, 0.2435, 0.2616].entries())
    assert.ok(Math.abs((std[c] as number) - expected) < 0.02, `${std}`);
});
