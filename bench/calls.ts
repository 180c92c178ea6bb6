/** What a call of a small operator costs, and the hand-off of a tensor from one thread to another. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { noGrad, ops, Queue, scope, setNumThreads, tensor } from 'headrace/torch';
import type { HandoffJob } from './handoff-worker.js';
import { describeHost } from './host.js';
import { Turns } from './progress.js';
import { findPython, NO_PYTHON, PythonPeer } from './python.js';
import { median, type PartOptions, type PartResult, type Row, row, type Target } from './results.js';

const PER_SCOPE = 100;
const a = tensor([1, 2, 3]).keep();
const b = tensor([4, 5, 6]).keep();
const image = ops.ones([1, 4, 4, 4]).keep();
const weight = ops.ones([4, 4, 1, 1]).keep();

const calls: readonly { name: string; title: string; call: () => unknown; target?: Target }[] = [
  { name: 'add', title: 'add of two tensors of 3', call: () => a.add(b), target: { most: 2.5 } },
  { name: 'view', title: 'view of a tensor of 3', call: () => a.view([3, 1]) },
  { name: 'conv2d', title: 'conv2d, 1x1, of [1, 4, 4, 4]', call: () => ops.conv2d(image, weight) },
];

const sizes = [
  { title: '1 kB', bytes: 1 << 10 },
  { title: '1 MB', bytes: 1 << 20 },
  { title: '64 MB', bytes: 64 << 20 },
];

/** Microseconds of a call, without autograd, its result freed by a scope. */
function microsecondsPerCall(call: () => unknown, count: number): number {
  const start = performance.now();
  noGrad(() => {
    for (let done = 0; done < count; done += PER_SCOPE) {
      scope(() => {
        for (let i = 0; i < PER_SCOPE; i++) call();
      });
    }
  });
  return ((performance.now() - start) * 1000) / count;
}

export async function callsPart({ rounds, quick }: PartOptions): Promise<PartResult> {
  setNumThreads(1);
  const python = findPython();
  const peer = python ? await PythonPeer.start(python, 1, describeHost()) : null;
  try {
    const turns = new Turns('calls', calls.length + sizes.length);
    const rows: Row[] = [];
    for (const call of calls) rows.push(...(await measureCall(call, peer, rounds, quick ? 2000 : 100_000, turns)));
    for (const { title, bytes } of sizes) {
      const found: number[] = [];
      for (let round = 0; round < rounds; round++) found.push(await handoff(bytes, quick ? 200 : 5000));
      rows.push(row(`hand-off of ${title} between threads`, 'us', found, { most: 50 }));
      turns.done(`hand-off of ${title}  ${median(found).toFixed(1)} us`);
    }
    const notes = [
      'A hand-off is half of a round trip of a tensor through two queues, both threads waiting for each other.',
      ...(peer ? [] : [NO_PYTHON]),
    ];
    return { title: 'Calls and queues', settings: { threads: 1, torch: peer?.torch ?? null }, rows, notes };
  } finally {
    peer?.close();
  }
}

async function measureCall(
  { name, title, call, target }: (typeof calls)[number],
  peer: PythonPeer | null,
  rounds: number,
  count: number,
  turns: Turns,
): Promise<Row[]> {
  const ours: number[] = [];
  const theirs: number[] = [];
  microsecondsPerCall(call, count);
  for (let round = 0; round < rounds; round++) {
    ours.push(microsecondsPerCall(call, count));
    if (peer) theirs.push((await peer.ask<{ seconds: number }>({ do: 'calls', name, count })).seconds * 1e6);
  }
  turns.done(`${name}  ${median(ours).toFixed(2)} us`);
  const found = [row(`${title}, Headrace`, 'us', ours, target)];
  return peer ? [...found, row(`${title}, PyTorch`, 'us', theirs)] : found;
}

/** The median microseconds of one hand-off. */
async function handoff(bytes: number, trips: number): Promise<number> {
  const queues = [Queue.create<number>(1), Queue.create<number>(1)] as const;
  const [there, back] = [queues[0].id, queues[1].id];
  const start = (job: HandoffJob): Worker =>
    new Worker(new URL('./handoff-worker.js', import.meta.url), { workerData: job });
  const returner = start({ side: 'returner', there: back, back: there, bytes, trips });
  const server = start({ side: 'server', there, back, bytes, trips });
  const ends = Promise.all([once(returner, 'exit'), once(server, 'exit')]);
  const [found] = (await once(server, 'message')) as [number[]];
  await ends;
  for (const queue of queues) queue.destroy();
  return median(found.slice(Math.floor(trips / 10)));
}
