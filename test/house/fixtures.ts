// The files that the documents' programs read, made small.
import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { saveTorch } from 'headrace/io';
import { writeVideo } from 'headrace/media';
import { buildModel } from 'headrace/pipeline';
import { resnet18 } from 'headrace/vision';
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
  await writeVideo(path.join(folder, 'clip.mp4'), grey(50, 64), { fps: 25, audio });
}
