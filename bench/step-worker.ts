/** Headrace's training steps, on a worker thread as a stage has one. */
import { parentPort, workerData } from 'node:worker_threads';
import { functional } from 'headrace/nn';
import { AdamW, SGD } from 'headrace/optim';
import { buildModel } from 'headrace/pipeline';
import { Generator, keep, randint, randn, scope, setNumThreads } from 'headrace/torch';
import { modelSpec } from 'headrace/vision';
import { type ModelName, ordinaryModel } from './models.js';

export interface StepJob {
  readonly model: ModelName;
  /** As it ships, or as an ordinary implementation computes it. */
  readonly form: 'shipped' | 'ordinary';
  readonly batch: number;
  readonly threads: number;
}

const { model: name, form, batch, threads } = workerData as StepJob;
setNumThreads(threads);
const spec = form === 'ordinary' ? ordinaryModel(name) : modelSpec({ name, classes: 10 });
const model = buildModel(spec, { seed: 0 });
const generator = new Generator(0);
let images = keep(randn([batch, 3, 32, 32], { generator }));
const labels = keep(randint(0, 10, [batch], { generator }));
if (name === 'resnet32') {
  model.to({ memoryFormat: 'channelsLast' });
  images = keep(images.contiguous({ memoryFormat: 'channelsLast' }));
}
const parameters = [...model.namedParameters()];
const optimizer =
  name === 'resnet32'
    ? new SGD(parameters, { lr: 0.001, momentum: 0.9, weightDecay: 5e-4, nesterov: true })
    : new AdamW(
        [
          { params: parameters.filter(([, p]) => p.ndim > 1), weightDecay: 0.05 },
          { params: parameters.filter(([, p]) => p.ndim <= 1), weightDecay: 0 },
        ],
        { lr: 1e-4 },
      );

function step(): number {
  const start = performance.now();
  scope(() => {
    const loss = functional.crossEntropy(model.forward(images), labels);
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    loss.item();
  });
  return (performance.now() - start) / 1000;
}

parentPort!.on('message', (count: number) => {
  parentPort!.postMessage(Array.from({ length: count }, step));
});
