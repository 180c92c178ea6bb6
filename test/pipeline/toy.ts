// A toy model in a module of its own: worker threads import it, and must not run tests when they do.
import { AdaptiveAvgPool2d, BatchNorm2d, Conv2d, Flatten, functional, GELU, Linear, Sequential } from 'headrace/nn';
import {
  classification,
  type HeadModule,
  type LayerModule,
  MeanMetric,
  type ModelSpec,
  type ModuleRef,
  ref,
} from 'headrace/pipeline';
import type { Tensor } from 'headrace/torch';

/** The toy whose loss is a number in training, and none in evaluation, where nothing needs gradients. */
export function untestable(): ModelSpec {
  const loss = (output: Tensor, target: Tensor): Tensor => functional.crossEntropy(output, target.remainder(3));
  return {
    ...toy({}),
    task: {
      name: 'hopeless',
      loss: (output, target) => loss(output, target!),
      metrics: () => ({ loss: new MeanMetric((output, target) => loss(output, target!).mul(Number.NaN)) }),
      selects: { metric: 'loss', best: 'lowest' },
    },
  };
}

/** The toy with a task that selects by what it does not measure. */
export function unmeasured(): ModelSpec {
  return { ...toy({}), task: { ...classification(), selects: { metric: 'f1', best: 'highest' } } };
}

/** 12 inputs, four layers, three classes. The second and third layer are alike. */
export function toy(options: { broken?: boolean }): ModelSpec {
  const layer = (name: string, build: () => unknown) => ({ name, prefix: name, build: build as () => LayerModule });
  return {
    name: 'toy',
    classes: 3,
    inputShape: [3, 2, 2],
    layers: [
      layer('first', () => new Sequential(new Flatten(), new Linear(12, 8))),
      layer('second', () => new Linear(8, 8)),
      layer('third', () => new Linear(options.broken ? 9 : 8, 8)),
      layer('last', () => new Linear(8, 3)),
    ],
    head: () => new Linear(8, 3) as HeadModule,
  };
}

/** Batch normalisation, and nothing that rounding could tip over, such as a ReLU at 0: images of 3 channels, 4 classes. */
export function smooth({ norm = true }: { norm?: boolean }): ModelSpec {
  const block = (name: string, channels: number) => ({
    name,
    prefix: name,
    build: () => new Sequential(new Conv2d(channels, 6, 3), ...(norm ? [new BatchNorm2d(6)] : []), new GELU()),
  });
  const classify = () => new Sequential(new AdaptiveAvgPool2d(1), new Flatten(), new Linear(6, 4));
  return {
    name: 'smooth',
    classes: 4,
    inputShape: [3, 12, 12],
    layers: [block('first', 3), block('second', 6), { name: 'last', prefix: 'last', build: classify }],
    head: classify,
  };
}

/** Whatever its options are: no model, and no data. */
export const asGiven = (options: unknown): unknown => options;

/** The toy with a layer that cannot be run. */
export function stumbling(): ModelSpec {
  const stumble = (): never => {
    throw new ReferenceError('words is not defined');
  };
  const build = () => Object.assign(new Linear(8, 8), { forward: stumble });
  const { layers, ...rest } = toy({});
  return { ...rest, layers: layers.map((layer) => (layer.name === 'third' ? { ...layer, build } : layer)) };
}

const hidden = (): ModelSpec => toy({});

/** A model that this file makes and does not export: other threads cannot. */
export function hiddenModel(): ModuleRef {
  return ref(hidden, {});
}
