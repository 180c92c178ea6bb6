// Trains the model of own-model.ts: three stages in turns on one worker, then on a worker each. Both end the same.
//
// npm run setup && npx tsc -p tsconfig.test.json && node build/examples/own-model-train.js

import { formatMetrics, type RunConfig, runDefaults, Trainer } from 'headrace/pipeline';

const module = './own-model.js'; // beside this file; the same name whether it is compiled or run as TypeScript

const config: RunConfig = {
  ...runDefaults, // ppll, one thread a stage, seed 0
  model: { module, export: 'spiralNet', options: { width: 64, depth: 4 } },
  modelName: 'spiral-net',
  data: { module, export: 'spirals', options: { train: 3000, test: 1000 } },
  stages: 3,
  cut: [1, 3], // after the layers hidden.0 and hidden.2; left out, it is measured
  head: { kind: 'linear' },
  epochs: 15,
  batchSize: 100,
  optimizer: { name: 'adamw', lr: 3e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0.01, decay: 'weights' },
  lrSchedule: { name: 'cosine', warmupEpochs: 1, minLr: 0 },
  labelSmoothing: 0,
  evalEvery: 0,
  memoryFormat: 'contiguous',
  out: null, // a folder, to keep events and checkpoints
};

for (const schedule of ['sequential', 'ppll'] as const) {
  const { metrics, steps } = await new Trainer({ ...config, schedule }).result;
  console.log(`${schedule}: ${steps} steps, ${formatMetrics(metrics!)}`);
}
