/** A training step against the same model in PyTorch, which takes turns with it at its best setting. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { trainingResources } from 'headrace/pipeline';
import { describeHost } from './host.js';
import { interleave, type Side } from './interleave.js';
import type { ModelName } from './models.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import { median, type PartOptions, type PartResult, type Row, ratio, row } from './results.js';
import type { StepJob } from './step-worker.js';

const BATCH = 128;
const THREADS = 1;

/** Takes a turn of some training steps: the seconds of each. */
interface Stepper {
  run(steps: number): Promise<number[]>;
  close(): Promise<unknown>;
}

function headrace(model: ModelName, form: StepJob['form']): Stepper {
  const workerData: StepJob = { model, form, batch: BATCH, threads: THREADS };
  // As stages run.
  const worker = new Worker(new URL('./step-worker.js', import.meta.url), {
    workerData,
    resourceLimits: trainingResources,
  });
  return {
    run: async (steps) => {
      worker.postMessage(steps);
      return ((await once(worker, 'message')) as [number[]])[0];
    },
    close: () => worker.terminate(),
  };
}

interface PythonSetting {
  readonly channelsLast: boolean;
  readonly foreach: boolean;
}

const spell = ({ channelsLast, foreach }: PythonSetting): string =>
  `${channelsLast ? 'channels_last' : 'contiguous'}, ${foreach ? 'foreach' : 'for-loop'} optimizer`;

/** Tries every setting that might be PyTorch's best, and leaves the process with the fastest. */
async function bestPython(peer: PythonPeer, model: ModelName, steps: number): Promise<PythonSetting> {
  const formats = model === 'resnet32' ? [true, false] : [false];
  const settings = formats.flatMap((channelsLast) => [true, false].map((foreach) => ({ channelsLast, foreach })));
  const found: { setting: PythonSetting; seconds: number }[] = [];
  for (const setting of settings) {
    await build(peer, model, setting);
    await pythonSteps(peer, 1);
    found.push({ setting, seconds: Math.min(...(await pythonSteps(peer, steps))) });
  }
  const { setting } = found.reduce((best, next) => (next.seconds < best.seconds ? next : best));
  await build(peer, model, setting);
  return setting;
}

const build = (peer: PythonPeer, model: ModelName, setting: PythonSetting): Promise<unknown> =>
  peer.ask({ do: 'build', model, batch: BATCH, ...setting });

async function pythonSteps(peer: PythonPeer, count: number): Promise<number[]> {
  return (await peer.ask<{ seconds: number[] }>({ do: 'steps', count })).seconds;
}

export async function stepPart(options: PartOptions): Promise<PartResult> {
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, THREADS, describeHost()) : null;
  const rows: Row[] = [];
  const notes = python ? [] : [NO_PYTHON];
  try {
    for (const model of options.models) await measure(model, peer, options, rows, notes);
  } finally {
    peer?.close();
  }
  const settings = { batch: BATCH, threads: THREADS, torch: peer?.torch ?? null };
  return { title: 'Training step, batch 128, one thread', settings, rows, notes };
}

async function measure(
  model: ModelName,
  peer: PythonPeer | null,
  { rounds, quick, turn }: PartOptions,
  rows: Row[],
  notes: string[],
): Promise<void> {
  const steps = quick ? 1 : model === 'resnet32' ? 10 : 4;
  const steppers = new Map<string, Stepper>([['Headrace', headrace(model, 'ordinary')]]);
  if (peer) {
    const setting = await bestPython(peer, model, quick ? 1 : 3);
    steppers.set('PyTorch', { run: (count) => pythonSteps(peer, count), close: async () => {} });
    notes.push(`PyTorch ${peer.torch} on ${model}: fastest with ${spell(setting)}.`);
  }
  if (model === 'vit-tiny-p4') {
    steppers.set('Headrace as shipped', headrace(model, 'shipped'));
    notes.push(
      'vit-tiny-p4: "Headrace" and PyTorch compute every token in the last block; "as shipped", Headrace computes ' +
        'the class token alone there, since nothing else of it is read: the same numbers for less work.',
    );
  }
  // Turns of a few seconds feel a neighbour's work most: short steps take more of them.
  const turns = quick || model !== 'resnet32' ? rounds : 3 * rounds;
  const sides = [...steppers].map(([label, stepper]): [string, Side] => [
    label,
    async () => median(await stepper.run(steps)) * 1000,
  ]);
  const found = await interleave(`step ${model}`, 'ms', new Map(sides), turns, turn);
  for (const [label, values] of found) rows.push(row(`${model}, ${label}`, 'ms', values));
  const ours = found.get('Headrace')!;
  const theirs = found.get('PyTorch');
  if (theirs) rows.push(ratio(`${model}, speed of Headrace / PyTorch`, theirs, ours, { least: 1 }));
  const shipped = found.get('Headrace as shipped');
  if (theirs && shipped) rows.push(ratio(`${model}, speed of Headrace as shipped / PyTorch`, theirs, shipped));
  for (const stepper of steppers.values()) await stepper.close();
}
