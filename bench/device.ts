/** A training step on a device, in float32 and with weights of bfloat16: node build/bench/device.js cuda:0. For scripts/test-cuda.sh. */
import { functional } from 'headrace/nn';
import { SGD } from 'headrace/optim';
import { buildModel, median } from 'headrace/pipeline';
import { type DType, Generator, keep, randint, randn, scope } from 'headrace/torch';
import { modelSpec } from 'headrace/vision';

const [device = 'cuda:0'] = process.argv.slice(2);
const [batch, steps] = device === 'cpu' ? [8, 3] : [256, 100];
/** Of which the first, with the device's start and the choice of its algorithms, do not count. */
const WARM_UP = Math.ceil(steps / 5);

/** Seconds of a step, the median. */
function stepSeconds(dtype: DType): number {
  const generator = new Generator(0);
  const model = buildModel(modelSpec({ name: 'resnet32', classes: 10 }), { seed: 0 }).to({ device, dtype });
  const images = keep(randn([batch, 3, 32, 32], { generator }).to({ device, dtype }));
  const labels = keep(randint(0, 10, [batch], { generator }).to({ device }));
  const optimizer = new SGD([...model.namedParameters()], { lr: 0.001, momentum: 0.9 });
  const times = Array.from({ length: steps }, () => {
    const start = performance.now();
    scope(() => {
      const loss = functional.crossEntropy(model.forward(images).float(), labels);
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      if (!Number.isFinite(loss.item())) throw new Error(`the loss in ${dtype} is ${loss.item()}`); // waits for the device, too
    });
    return (performance.now() - start) / 1000;
  });
  return median(times.slice(WARM_UP));
}

const [exact, half] = [stepSeconds('float32'), stepSeconds('bfloat16')];
console.log(`resnet32, batch ${batch}, on ${device}: a step in float32 ${(1000 * exact).toFixed(2)} ms`);
console.log(`with bfloat16 throughout ${(1000 * half).toFixed(2)} ms, ${(exact / half).toFixed(2)} times as fast`);
