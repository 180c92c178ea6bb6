// Fine-tuning: a classifier of ten digits becomes one of odd and even, from a safetensors file, with its first layers frozen.
//
// npm run setup && npx tsc -p tsconfig.test.json && node build/examples/fine-tune.js [--limit 2000] [--out runs/fine-tune]
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { TensorImageDataset } from 'headrace/data';
import { exportModel, formatMetrics, type RunData, type RunEvent, ref, type Trainer, train } from 'headrace/pipeline';
import { loadDataset, mnist, resnet20 } from 'headrace/vision';

/** The digits, labelled 0 for even and 1 for odd. */
export async function parity({ limit }: { limit: number }): Promise<RunData> {
  const digits = await loadDataset({ spec: 'mnist', limit });
  const info = { classes: ['even', 'odd'], mean: digits.mean, std: digits.std };
  const relabelled = ({ images, labels }: TensorImageDataset): TensorImageDataset =>
    new TensorImageDataset(images, labels.remainder(2), info);
  const { classes } = info;
  return { ...digits, train: relabelled(digits.train), test: relabelled(digits.test), classes };
}

/** Runs to the end; prints what it tests, and which weights start afresh. */
async function watch(run: Trainer): Promise<void> {
  const told = (event: RunEvent): void => {
    if (event.type === 'eval') console.log(`epoch ${event.epoch + 1}: ${formatMetrics(event.metrics)}`);
    if (event.type === 'freshWeights') console.log(`afresh: ${event.keys.join(', ')}`);
  };
  for await (const event of run) told(event);
}

if (isMainThread) {
  const { values } = parseArgs({
    options: { limit: { type: 'string', default: '2000' }, out: { type: 'string', default: 'runs/fine-tune' } },
  });
  const limit = Number(values.limit);
  const [ten, two] = [join(values.out, 'ten'), join(values.out, 'two')];
  const common = { stages: 2, cut: [7], epochs: 2, batchSize: 64 };
  await watch(train({ ...common, model: resnet20(), data: mnist({ limit }), out: ten }));
  exportModel(ten, join(values.out, 'ten.safetensors'));
  await watch(
    train({
      ...common,
      model: resnet20(),
      data: ref(parity, { limit }),
      init: join(values.out, 'ten.safetensors'),
      freeze: ['conv1', 'bn1', 'layer1'],
      out: two,
    }),
  );
}
