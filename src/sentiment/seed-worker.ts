/** The thread of one seed: loads the data, trains, and writes what comes of it. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { ProcessGroup } from '../distributed/index.js';
import { type EndNotice, jobOf } from '../pipeline/index.js';
import { EventFiles } from '../run/index.js';
import { setNumThreads } from '../torch/index.js';
import { makeSeedFolder, readState, seedFolder, writeResult, writeState } from './bundle.js';
import { loadSentiment } from './datasets/index.js';
import { importModel } from './models/own.js';
import { prepareData } from './prepare.js';
import { type SeedJob, type SeedNotice, STOP } from './seed-job.js';
import { SeedTrainer } from './train-seed.js';

const post = (notice: SeedNotice | EndNotice): void => parentPort!.postMessage(notice);

async function main({ config, source, seed, out, checkpoints, ranks, stop }: SeedJob): Promise<void> {
  setNumThreads(config.threads);
  await importModel(config.model);
  const data = await loadSentiment(source);
  const prepared = prepareData(config, data);
  const trainer = new SeedTrainer(config, prepared, seed, {
    ranks: ranks && { group: ProcessGroup.attach(ranks.group), number: ranks.number },
  });
  if (trainer.begun) post({ kind: 'begun', seed, from: trainer.begun });
  const keeps = out !== null && checkpoints;
  const from = keeps ? readState(out, seed) : null;
  const stages = [...trainer.learner.stages.keys()];
  const events = out === null ? null : new EventFiles(makeSeedFolder(out, seed), stages, { append: from !== null });
  try {
    const result = await trainer.run({
      from,
      onEvent: (event) => events?.write(event),
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
  } finally {
    events?.close();
  }
}

const job = jobOf<SeedJob>();
try {
  await main(job);
  post({ kind: 'finished' });
} catch (error) {
  const { message, code } = error as { message: string; code?: string };
  post({ kind: 'failed', message, code, stage: -1, action: null, step: null });
}
