// The thread of a BackgroundModule: builds the module, then answers one call after another until its queue is closed.

import { extname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { loadSafetensors, TorchFile } from '../io/index.js';
import { Module } from '../nn/index.js';
import { noGrad, Queue, QueueError, scope, setNumThreads, Tensor } from '../torch/index.js';
import { type Answer, type BackgroundJob, type Call, describeError, type Form, type Notice } from './background.js';
import { buildModel, type ModelSpec, resolveRef } from './model.js';

const LONGEST_MS = 1e12;
const job = workerData as BackgroundJob;
const post = (notice: Notice): void => parentPort?.postMessage(notice);

async function build(): Promise<Module> {
  const made = await resolveRef<Module | ModelSpec>(job.ref);
  const module = made instanceof Module ? made : buildModel(made, { seed: job.seed });
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

/** A result as tensors, and how they were arranged. */
function arranged(result: unknown): { form: Form; tensors: Tensor[] } {
  if (result instanceof Tensor) return { form: 'one', tensors: [result] };
  const entries = Object.entries(typeof result === 'object' && result !== null ? result : {});
  const tensors = entries.map(([, value]) => value as Tensor);
  if (tensors.length === 0 || !tensors.every((tensor) => tensor instanceof Tensor)) {
    throw new TypeError('Expected forward to give a tensor, a list of tensors or an object of tensors');
  }
  return { form: Array.isArray(result) ? 'list' : entries.map(([name]) => name), tensors };
}

function answer(module: Module, { meta, tensors }: { meta: Call; tensors: (Tensor | null)[] }): void {
  const back = Queue.attach<Answer>(job.back);
  try {
    const args = meta.args.map((arg) => ('tensor' in arg ? tensors[arg.tensor] : arg.value));
    const { form, tensors: given } = arranged(noGrad(() => module.forward(...args)));
    back.put({ meta: { form }, tensors: given.map((tensor) => tensor.detach()) });
  } catch (error) {
    back.put({ meta: { error: describeError(error) }, tensors: [] });
  }
  post('answered');
}

function serve(module: Module): void {
  const calls = Queue.attach<Call>(job.there);
  while (true) {
    try {
      scope(() => answer(module, calls.get(LONGEST_MS)));
    } catch (error) {
      if (error instanceof QueueError) return; // closed
      throw error;
    }
  }
}

setNumThreads(job.threads);
const module = await build().catch((error: unknown) => post({ failed: describeError(error) }));
if (module) {
  post('ready');
  serve(module);
}
