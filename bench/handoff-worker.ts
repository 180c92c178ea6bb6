/** One end of a ping-pong between two threads: half of a round trip is a hand-off. */
import { parentPort, workerData } from 'node:worker_threads';
import { Queue, randn, scope } from 'headrace/torch';

export interface HandoffJob {
  readonly side: 'server' | 'returner';
  readonly there: number;
  readonly back: number;
  readonly bytes: number;
  readonly trips: number;
}

const { side, there, back, bytes, trips } = workerData as HandoffJob;
const outward = Queue.attach<number>(there);
const homeward = Queue.attach<number>(back);

function serve(): number[] {
  const ball = randn([bytes / 4]);
  return Array.from({ length: trips }, (_, trip) =>
    scope(() => {
      const start = performance.now();
      outward.put({ meta: trip, tensors: [ball] });
      homeward.get();
      return ((performance.now() - start) * 1000) / 2;
    }),
  );
}

if (side === 'server') parentPort!.postMessage(serve());
else for (let trip = 0; trip < trips; trip++) scope(() => outward.put(homeward.get()));
