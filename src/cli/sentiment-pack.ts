import { packModel } from '../sentiment/index.js';
import { print } from './report.js';
import type { SentimentPackFlags } from './sentiment-program.js';

/** `headrace sentiment pack`. */
export function packSentiment(folder: string, { out, seed, json }: SentimentPackFlags): void {
  const packed = packModel(folder, out, seed);
  const megabytes = (packed.bytes / 1e6).toFixed(1);
  print(json, { ...packed, out }, `seed ${packed.seed} in ${out}: weights of ${megabytes} MB`);
}
