/** One of the loops that people write, with or without scopes, in a process of its own: seconds a turn, and its peak memory. */
import { setImmediate as pause } from 'node:timers/promises';
import { DataLoader, type ImageBatch, TensorImageDataset } from 'headrace/data';
import { functional, Linear, ReLU, Sequential } from 'headrace/nn';
import { SGD } from 'headrace/optim';
import { randint, randn, scope, setNumThreads, zeros } from 'headrace/torch';
import { peakBytes } from './peak.js';
import type { Loop, LoopResult } from './scopes.js';

const model = new Sequential(
  new Linear(512, 1024),
  new ReLU(),
  new Linear(1024, 1024),
  new ReLU(),
  new Linear(1024, 1),
);

/** Each runs `turns` turns, the body of each under `around`: a scope, or nothing. */
const programs: Readonly<Record<Loop, (turns: number, around: <T>(body: () => T) => T) => Promise<void>>> = {
  async training(turns, around) {
    const optimizer = new SGD(model.parameters(), { lr: 1e-3, momentum: 0.9 });
    for (let turn = 0; turn < turns; turn++) {
      around(() => {
        const loss = functional.mseLoss(model.forward(randn([64, 512])), zeros([64, 1]));
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
      });
    }
  },
  async requests(turns, around) {
    const answer = async (): Promise<unknown> => {
      const x = randn([16, 512]);
      await pause();
      return model.forward(x).tolist();
    };
    for (let turn = 0; turn < turns; turn++)
      await Promise.all(Array.from({ length: 4 }, () => around(async () => await answer())));
  },
  async loader(turns, around) {
    const images = randint(0, 256, [20_000, 1, 64, 64], { dtype: 'uint8' }).keep();
    const labels = randint(0, 2, [20_000]).keep();
    const data = new TensorImageDataset(images, labels, { classes: ['a', 'b'], mean: [0.5], std: [0.5] });
    const loader = new DataLoader<ImageBatch>(data, {
      batchSize: 128,
      shuffle: true,
      transform: [{ kind: 'toFloat' }],
    });
    for (let turn = 0; turn < turns; turn++) {
      for (const batch of loader.batches(turn)) around(() => void batch.images.mean());
    }
  },
};

const [loop, turns, scoped] = process.argv.slice(2) as [Loop, string, 'scoped' | 'unscoped'];
setNumThreads(1);
const start = performance.now();
await programs[loop](Number(turns), scoped === 'scoped' ? scope : (body) => body());
const result: LoopResult = { seconds: (performance.now() - start) / 1000 / Number(turns), peak: peakBytes() };
process.stdout.write(`${JSON.stringify(result)}\n`);
