// The thread of a BackgroundModule: builds the module, then answers one call after another until it is told to close.

import { extname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { type Packing, pack, unpack } from '../data/pack.js';
import { loadSafetensors, TorchFile } from '../io/index.js';
import { Module } from '../nn/index.js';
import { noGrad, Queue, scope, setNumThreads, type Tensor } from '../torch/index.js';
import { type Answer, type BackgroundJob, describeError, type Message, type Notice } from './background.js';
import { buildModel, type ModelSpec, resolveRef } from './model.js';

const job = workerData as BackgroundJob;
const post = (notice: Notice): void => parentPort?.postMessage(notice);

async function build(): Promise<Module> {
  const model = await resolveRef<Module | ModelSpec>(job.ref);
  const module = model instanceof Module ? model : buildModel(model, { seed: job.seed });
  if (job.weights !== null) scope(() => module.loadStateDict(readWeights(job.weights as string)));
  return module.eval();
}

function readWeights(file: string): ReadonlyMap<string, Tensor> {
  if (extname(file) === '.safetensors') return loadSafetensors(file).tensors;
  const opened = TorchFile.open(file);
  try {
    return new Map([...opened.stateDict()].map(([name, tensor]) => [name, tensor.tensor()]));
  } finally {
    opened.close();
  }
}

/** Answers the call that the queue holds. */
function answer(module: Module): void {
  const back = Queue.attach<Answer>(job.back);
  try {
    const { meta, tensors } = Queue.attach<Packing>(job.there).get(0);
    const args = unpack(meta, tensors as Tensor[]) as unknown[];
    const { packing, tensors: given } = pack(noGrad(() => module.forward(...args)));
    back.put({ meta: { result: packing }, tensors: given.map((tensor) => tensor.detach()) });
  } catch (error) {
    back.put({ meta: { error: describeError(error) }, tensors: [] });
  }
  post('answered');
}

setNumThreads(job.threads);
try {
  const module = await build();
  parentPort?.on('message', (message: Message) => {
    if (message === 'call') scope(() => answer(module));
    else parentPort?.close();
  });
  post('ready');
} catch (error) {
  post({ failed: describeError(error) });
  parentPort?.close();
}
