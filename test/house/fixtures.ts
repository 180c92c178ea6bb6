// The files that the documents' programs read, made small.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { saveTorch } from 'headrace/io';
import { writeImage, writeVideo } from 'headrace/media';
import { buildModel } from 'headrace/pipeline';
import { resnet18 } from 'headrace/vision';
import sharp from 'sharp';
import { drawFaces } from '../media/faces-drawing.js';
import { root } from './repository.js';

/** Two seconds of a grey picture that grows lighter, and a tone. */
async function* grey(
  frames: number,
  size: number,
): AsyncGenerator<{ data: Uint8Array; width: number; height: number }> {
  for (let i = 0; i < frames; i++)
    yield { data: new Uint8Array(size * size * 3).fill(4 * i), width: size, height: size };
}

const tone = (rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, i) => 0.3 * Math.sin((2 * Math.PI * 220 * i) / rate));

export async function makeFixtures(folder: string): Promise<void> {
  const processed = path.join(folder, 'MOSI', 'Processed');
  mkdirSync(processed, { recursive: true });
  copyFileSync(path.join(root, 'test/sentiment/datasets/unaligned.pkl'), path.join(processed, 'unaligned_50.pkl'));
  saveTorch(path.join(folder, 'resnet18.pth'), buildModel(resnet18({ classes: 1000 })).stateDict());
  // Written by PyTorch: see test/io/torch-files/make_torch_files.py.
  copyFileSync(path.join(root, 'test/io/torch-files/checkpoint.pt'), path.join(folder, 'checkpoint.pt'));
  const audio = { samples: tone(16000, 2), rate: 16000 };
  await writePhotos(path.join(folder, 'photos'));
  await writeVideo(path.join(folder, 'clip.mp4'), grey(50, 64), { fps: 25, audio });
  await writeFaces(folder);
}

/** A portrait, and a video of a mouth that opens and closes. */
async function writeFaces(folder: string): Promise<void> {
  const [width, height] = [320, 360];
  const drawn = (mouth: number): Uint8Array => drawFaces(width, height, [{ x: 160, y: 150, eyes: 70, mouth }]);
  await writeImage(path.join(folder, 'p.jpg'), { width, height, data: drawn(0) });
  async function* speaking(): AsyncGenerator<{ data: Uint8Array; width: number; height: number }> {
    for (let i = 0; i < 10; i++) yield { width, height, data: drawn(0.5 - 0.5 * Math.cos(i)) };
  }
  await writeVideo(path.join(folder, 'talk.mp4'), speaking(), { fps: 25 });
}

/** Folders of classes, with what one finds in such: a text, and a picture that is none. */
async function writePhotos(folder: string): Promise<void> {
  for (const part of ['train', 'valid']) {
    for (const [n, name] of ['cat', 'dog'].entries()) {
      mkdirSync(path.join(folder, part, name), { recursive: true });
      for (let i = 0; i < 4; i++) {
        const raw = { width: 40 + i, height: 30, channels: 3 } as const;
        await sharp(new Uint8Array(3 * raw.width * raw.height).fill(100 * n + i), { raw })
          .png()
          .toFile(path.join(folder, part, name, `${i}.png`));
      }
    }
  }
  writeFileSync(path.join(folder, 'train', 'cat', 'read.txt'), 'cats');
  writeFileSync(path.join(folder, 'train', 'cat', 'broken.png'), 'no picture');
}
