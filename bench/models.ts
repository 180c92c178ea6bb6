/** The models and data that the benchmark runs on. Worker threads import this module too. */
import { TensorImageDataset } from 'headrace/data';
import { type ModelSpec, type RunConfig, type RunData, runDefaults } from 'headrace/pipeline';
import { Generator, randint } from 'headrace/torch';
import { AttentionBranch, modelSpec, recipe, visionModelRef } from 'headrace/vision';

export const modelNames = ['resnet32', 'vit-tiny-p4'] as const;
export type ModelName = (typeof modelNames)[number];

/** Images of CIFAR-10's form and classes, of random pixels, with its usual augmentation. */
export function randomCifar({ train, test }: { train: number; test: number }): RunData {
  const info = { classes: [...'0123456789'], mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  const make = (count: number, seed: number): TensorImageDataset => {
    const generator = new Generator(seed);
    const images = randint(0, 256, [count, 3, 32, 32], { generator, dtype: 'uint8' });
    return new TensorImageDataset(images, randint(0, 10, [count], { generator }), info);
  };
  const scaling = [{ kind: 'toFloat' }, { kind: 'normalise', mean: info.mean, std: info.std }] as const;
  return {
    train: make(train, 1),
    test: make(test, 2),
    trainTransforms: [{ kind: 'randomCropReflect', pad: 4 }, { kind: 'randomHorizontalFlip' }, ...scaling],
    testTransforms: scaling,
  };
}

/** The recipe's configuration of a model, without a data set. */
export function runConfig(
  model: ModelName | string,
  data: RunConfig['data'],
  kind: Parameters<typeof recipe>[1],
  change: Partial<RunConfig> = {},
): RunConfig {
  const { epochs: _, ...chosen } = recipe(model, kind, { batchSize: change.batchSize ?? 128 });
  return {
    ...chosen,
    ...runDefaults,
    model: visionModelRef({ name: model, classes: 10 }),
    modelName: model,
    data,
    microbatches: 4,
    evalEvery: 0,
    ...change,
  };
}

/** Batches of random images of CIFAR-10's form. */
export function randomRun(model: ModelName, change: Partial<RunConfig> = {}): RunConfig {
  const data = { module: import.meta.url, export: 'randomCifar', options: { train: 2048, test: 128 } };
  return runConfig(model, data, 'cifar10', change);
}

/**
 * The model as an ordinary implementation computes it: vit-tiny-p4 with every token in its last block too, of which
 * Headrace's own computes the class token alone, as nothing else of it is read.
 */
export function ordinaryModel(name: ModelName): ModelSpec {
  const spec = modelSpec({ name, classes: 10 });
  if (name !== 'vit-tiny-p4') return spec;
  const shape = { width: 192, heads: 3, mlpRatio: 4, dropout: 0, attentionDropout: 0, dropPath: 0 };
  const layers = spec.layers.map((layer) =>
    layer.name === 'blocks.11.attn' ? { ...layer, build: () => new AttentionBranch(shape) } : layer,
  );
  return { ...spec, layers };
}
