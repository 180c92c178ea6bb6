// A toy model in a module of its own: worker threads import it, and must not run tests when they do.
import { Flatten, functional, Linear, Sequential } from 'headrace/nn';
import type { HeadModule, LayerModule, ModelSpec } from 'headrace/pipeline';

/** The toy whose loss is a number in training, and none in evaluation, where nothing needs gradients. */
export function untestable(): ModelSpec {
  return {
    ...toy({}),
    loss: (output, target) => {
      const loss = functional.crossEntropy(output, target.remainder(3));
      return output.requiresGrad ? loss : loss.mul(Number.NaN);
    },
  };
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
