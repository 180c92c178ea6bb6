import { predict, readRunInput } from '../pipeline/index.js';
import { ConfigError, scope } from '../torch/index.js';
import { imageFiles } from '../vision/index.js';
import type { PredictFlags } from './options.js';
import { print } from './report.js';
import { readImageRun } from './run-folder.js';

/** What the model says of one image. */
interface ImagePrediction {
  readonly file: string;
  readonly class: string;
  readonly probability: number;
  /** The most likely classes, the first of them `class`. */
  readonly top: readonly { readonly class: string; readonly probability: number }[];
}

/** `headrace predict`. */
export async function predictImages(folder: string, files: readonly string[], flags: PredictFlags): Promise<void> {
  const config = readImageRun(folder, 'sentiment predict', 'CLIP');
  const input = readRunInput(folder);
  if (!input) throw new ConfigError(`${folder} does not say how its images were scaled (input.json): train it again.`);
  const { channels, imageSize } = config.model.options as { channels: number; imageSize: [number, number] };
  const images = await imageFiles(files, [channels, ...imageSize]);
  const { batch: batchSize, threads, devices } = flags;
  const logits = await predict(folder, images, input.transforms, { batchSize, threads, ...(devices && { devices }) });
  const rows = scope(() => logits.softmax(1).tolist()) as number[][];
  const predictions = rows.map((row, i) => describe(files[i]!, row, input.classes, flags.top));
  print(flags.json, { predictions }, predictions.map(line).join('\n'));
}

function describe(file: string, row: number[], classes: readonly string[] | null, top: number): ImagePrediction {
  const ranked = row
    .map((probability, i) => ({ class: classes?.[i] ?? String(i), probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
  return { file, ...ranked[0]!, top: ranked };
}

function line({ file, top }: ImagePrediction): string {
  return `${file}: ${top.map((each) => `${each.class} ${(100 * each.probability).toFixed(1)} %`).join(', ')}`;
}
