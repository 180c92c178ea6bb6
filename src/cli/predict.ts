import { predict, type RunInput, readRunInput } from '../pipeline/index.js';
import { ConfigError, scope } from '../torch/index.js';
import { listImageFiles, readImageFiles } from '../vision/index.js';
import type { PredictFlags } from './options.js';
import { refuseRanks } from './ranks.js';
import { interruptible, ReadingProgress } from './reading.js';
import { exitCodes, print, say } from './report.js';
import { readImageRun } from './run-folder.js';

/** What the model says of one image. */
interface ImagePrediction {
  readonly file: string;
  readonly class: string;
  readonly probability: number;
  /** The most likely classes, the first of them `class`. */
  readonly top: readonly { readonly class: string; readonly probability: number }[];
}

/** A file that is no image, or could not be read. */
interface FailedPrediction {
  readonly file: string;
  readonly error: string;
}

type Prediction = ImagePrediction | FailedPrediction;

/** Pixels of images that are held at once, in bytes. */
const chunkBytes = 2 ** 28;

/** `headrace predict`. Goes on past files that cannot be read; the exit code tells of them. */
export async function predictImages(folder: string, names: readonly string[], flags: PredictFlags): Promise<void> {
  refuseRanks('predict');
  const config = readImageRun(folder, 'sentiment predict', 'CLIP');
  const input = readRunInput(folder);
  if (!input) throw new ConfigError(`${folder} does not say how its images were scaled (input.json): train it again.`);
  const { channels, imageSize } = config.model.options as { channels: number; imageSize: [number, number] };
  const model = { folder, input, shape: [channels, ...imageSize] as const };
  const files = listImageFiles(names);
  const chunk = Math.max(1, Math.floor(chunkBytes / (3 * imageSize[0] * imageSize[1])));
  const all: Prediction[] = [];
  const progress = new ReadingProgress('classifying');
  await interruptible(progress, 'classifying', async () => {
    for (let at = 0; at < files.length; at += chunk) {
      const onProgress = (done: number): void => progress.update(at + done, files.length);
      const predictions = await classify(model, files.slice(at, at + chunk), flags, onProgress);
      progress.finish();
      for (const each of predictions) tell(each, flags.json);
      all.push(...predictions);
    }
  });
  const failed = all.filter((each) => 'error' in each).length;
  if (flags.json) print(true, { predictions: all, failed }, '');
  if (failed === 0) return;
  say(`headrace: ${failed} of ${all.length} could not be classified`);
  process.exitCode = exitCodes.failed;
}

interface Model {
  readonly folder: string;
  readonly input: RunInput;
  readonly shape: readonly [channels: number, height: number, width: number];
}

async function classify(
  { folder, input, shape }: Model,
  files: ReturnType<typeof listImageFiles>,
  { batch: batchSize, threads, devices, best, top }: PredictFlags,
  onProgress: (done: number) => void,
): Promise<Prediction[]> {
  const named = files.filter(({ reason }) => reason === null).map(({ path }) => path);
  const { images, paths, bad } = await readImageFiles(named, shape, { onProgress });
  const results = new Map<string, Prediction>();
  for (const { path, reason } of bad) results.set(path, { file: path, error: reason });
  if (images !== null) {
    const options = { best, batchSize, threads, ...(devices && { devices }) };
    const logits = await predict(folder, images, input.transforms, options);
    const rows = scope(() => logits.softmax(1).tolist()) as number[][];
    for (const [i, row] of rows.entries()) results.set(paths[i]!, describe(paths[i]!, row, input.classes, top));
    images.dispose();
    logits.dispose();
  }
  return files.map(({ path, reason }) => (reason === null ? results.get(path)! : { file: path, error: reason }));
}

function describe(file: string, row: number[], classes: readonly string[] | null, top: number): ImagePrediction {
  const ranked = row
    .map((probability, i) => ({ class: classes?.[i] ?? String(i), probability }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
  return { file, ...ranked[0]!, top: ranked };
}

/** A line on stdout, or for a failure on stderr. */
function tell(prediction: Prediction, json: boolean): void {
  if ('error' in prediction) {
    say(`headrace: ${prediction.file}: ${prediction.error}`);
    return;
  }
  const { file, top } = prediction;
  const line = top.map((each) => `${each.class} ${(100 * each.probability).toFixed(1)} %`).join(', ');
  if (!json) print(false, {}, `${file}: ${line}`);
}
