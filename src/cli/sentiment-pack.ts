import { statSync } from 'node:fs';
import { join } from 'node:path';
import { packModel } from '../sentiment/index.js';
import { print } from './report.js';
import type { SentimentPackFlags } from './sentiment-program.js';

/** `headrace sentiment pack`. */
export function packSentiment(folder: string, { out, seed, json }: SentimentPackFlags): void {
  const packed = packModel(folder, out, seed);
  const bytes = statSync(join(out, `seed-${packed.seed}`, 'model.safetensors')).size;
  print(json, { ...packed, out, bytes }, `seed ${packed.seed} in ${out}: weights of ${(bytes / 1e6).toFixed(1)} MB`);
}
