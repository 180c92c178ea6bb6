// A model and a data set of your own through the pipeline: points on three spirals, told apart by a small network.
//
// Every thread of a run makes its own part of the model, and the loader's thread puts the data set together again. So both
// are functions that a module exports, and the module does nothing else; own-model-train.ts starts the training.

import type { BatchDataset, SharedDataset, TensorBatch, ThreadShareable } from 'headrace/data';
import { LayerNorm, Linear, Module, Sequential } from 'headrace/nn';
import type { ModelSpec, RunData } from 'headrace/pipeline';
import { Generator, rand, randint, randn, stack, type Tensor } from 'headrace/torch';

// The model: layers in order. Property names are the keys of its state dict.

class Dense extends Module {
  norm: LayerNorm;
  linear: Linear;

  constructor(inputs: number, outputs: number) {
    super();
    this.norm = new LayerNorm(inputs);
    this.linear = new Linear(inputs, outputs);
  }

  /** [B, inputs] to [B, outputs]. */
  forward(x: Tensor): Tensor {
    return this.linear.forward(this.norm.forward(x)).relu();
  }
}

/** A network of `depth` hidden layers that can be cut after any of them. */
export function spiralNet({ width, depth }: { width: number; depth: number }): ModelSpec {
  const hidden = Array.from({ length: depth }, (_, i) => ({
    name: `hidden.${i}`,
    prefix: `hidden.${i}`, // before the layer's own keys: hidden.0.linear.weight
    build: () => new Dense(width, width),
  }));
  return {
    name: 'spiral-net',
    classes: 3,
    inputShape: [2],
    layers: [
      { name: 'first', prefix: 'first', build: () => new Linear(2, width) },
      ...hidden,
      { name: 'last', prefix: 'last', build: () => new Linear(width, 3) },
    ],
    // A fresh local head for what comes out of a layer. All layers but the last give [B, width], so the border is no matter.
    head: (kind, _border, { depth: layers = 1 }) => {
      if (kind === 'linear') return new Linear(width, 3);
      return new Sequential(...Array.from({ length: layers }, () => new Dense(width, width)), new Linear(width, 3));
    },
  };
}

// The data: whole batches by index, and how another thread gets at them (tensors pass by handle, nothing is copied).

class Points implements BatchDataset<TensorBatch>, ThreadShareable {
  readonly x: Tensor;
  readonly labels: Tensor;

  constructor(x: Tensor, labels: Tensor) {
    this.x = x.keep();
    this.labels = labels.keep();
  }

  get length(): number {
    return this.labels.numel;
  }

  /** The input comes first, then the targets. */
  batch(indices: Tensor): TensorBatch {
    return { x: this.x.indexSelect(0, indices), labels: this.labels.indexSelect(0, indices) };
  }

  share(): SharedDataset {
    return { module: import.meta.url, export: 'pointsFromShared', options: null, tensors: [this.x, this.labels] };
  }
}

/** The other end of `share`. */
export function pointsFromShared(_options: unknown, tensors: readonly Tensor[]): Points {
  return new Points(tensors[0]!, tensors[1]!);
}

/** Points on three arms of a spiral, with a little noise. */
export function spirals({ train, test }: { train: number; test: number }): RunData {
  const make = (count: number, seed: number): Points => {
    const generator = new Generator(seed);
    const labels = randint(0, 3, [count], { generator });
    const radius = rand([count], { generator }).sqrt();
    const angle = radius.mul(5).add(labels.mul((2 * Math.PI) / 3));
    const noisy = angle.add(randn([count], { generator }).mul(0.1));
    return new Points(stack([radius.mul(noisy.cos()), radius.mul(noisy.sin())], 1), labels);
  };
  return { train: make(train, 1), test: make(test, 2), trainTransforms: [], testTransforms: [] };
}
