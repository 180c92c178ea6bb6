/** The thread of one seed: loads the data, trains, and writes what comes of it. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { setNumThreads } from '../torch/index.js';
import { BranchTrainer } from './branch-run.js';
import { readState, seedFolder, writeResult, writeState } from './bundle.js';
import { loadSentiment } from './datasets/index.js';
import { prepareData } from './prepare.js';
import { type SeedJob, type SeedNotice, STOP } from './seed-job.js';
import { SeedTrainer } from './train-seed.js';

const post = (notice: SeedNotice): void => parentPort!.postMessage(notice);

async function main({ config, source, seed, out, checkpoints, stop }: SeedJob): Promise<void> {
  setNumThreads(config.threads);
  const data = await loadSentiment(source);
  const prepared = prepareData(config, data);
  const Trainer = config.schedule === 'bp' ? SeedTrainer : BranchTrainer;
  const trainer = new Trainer(config, prepared, seed);
  if (trainer.begun) post({ kind: 'begun', seed, from: trainer.begun });
  const keeps = out !== null && checkpoints;
  const result = await trainer.run({
    from: keeps ? readState(out, seed) : null,
    onEpoch: (record) => post({ kind: 'epoch', seed, record }),
    shouldStop: () => Atomics.load(stop, 0) !== STOP.no,
    shouldGiveUp: () => Atomics.load(stop, 0) === STOP.atOnce,
    ...(keeps ? { save: (state) => writeState(out, seed, state) } : {}),
  });
  if (result === null) return post({ kind: 'stopped', seed });
  if (out !== null) {
    writeResult(out, result, trainer.network);
    if (keeps) rmSync(join(seedFolder(out, seed), 'checkpoint.safetensors'), { force: true });
  }
  post({ kind: 'done', seed, result });
}

const job = workerData as SeedJob;
try {
  await main(job);
} catch (error) {
  const { message, code } = error as { message: string; code?: string };
  post({ kind: 'failed', seed: job.seed, message, code: code ?? '' });
}
