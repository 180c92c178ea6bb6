/** What the tests of image models share. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSafetensors, saveSafetensors } from 'headrace/io';
import { type Module, skipInit } from 'headrace/nn';
import { type Layers, tensorsOf } from 'headrace/pipeline';
import { Generator, noGrad, randn, scope, type Tensor } from 'headrace/torch';
import type { VisionModel } from 'headrace/vision';

export type Keys = [key: string, shape: number[]][];

/** A stored list of keys and shapes; the tests themselves run from build/. */
export function storedKeys(name: string): Keys {
  return JSON.parse(readFileSync(golden(`${name}.json`), 'utf8')) as Keys;
}

function golden(file: string): string {
  return fileURLToPath(new URL(`../../../test/vision/golden/${file}`, import.meta.url));
}

/** Keys and shapes of a whole model, none of whose values are made. */
export function keysOf(model: VisionModel): Keys {
  return model.layers.flatMap(({ prefix, build }) => {
    const state = build({ device: 'meta' }).stateDict(prefix === '' ? '' : `${prefix}.`);
    return [...state].map(([key, value]): Keys[number] => [key, value.shape]);
  });
}

const buffer = /running_(mean|var)$|num_batches_tracked$/;

export function parameterCount(model: VisionModel): number {
  return keysOf(model)
    .filter(([key]) => !buffer.test(key))
    .reduce((sum, [, shape]) => sum + shape.reduce((product, size) => product * size, 1), 0);
}

export function images(batch: number, shape: readonly number[], seed = 0): Tensor {
  return randn([batch, ...shape], { generator: new Generator(seed) });
}

/** A model's output, its layers called one after another. */
export function layerByLayer(model: Layers, input: Tensor): Tensor {
  let x = [input];
  for (const [, layer] of model.named()) x = tensorsOf(layer.forward(...x));
  return x[0]!;
}

/** The shape of every layer's output, the first where it gives several, with arbitrary weights. */
export function layerShapes(model: VisionModel, batch = 1): number[][] {
  return noGrad(() =>
    scope(() => {
      let x = [images(batch, model.inputShape)];
      return model.layers.map((layer) => {
        const built = skipInit(() => layer.build()).eval();
        x = scope(() => tensorsOf(built.forward(...x)));
        return x[0]!.shape;
      });
    }),
  );
}

/** Fails unless all elements are within `tolerance`, relative to the greatest expected (at least `floor`). */
export function assertClose(actual: Tensor, expected: Tensor, tolerance: number, what: string, floor = 1): void {
  assert.deepEqual(actual.shape, expected.shape, `${what}: shape`);
  scope(() => {
    const error = actual.detach().sub(expected.detach()).abs().max().item();
    const scale = Math.max(floor, expected.detach().abs().max().item());
    assert.ok(error <= tolerance * scale, `${what}: off by ${error}, greatest expected ${scale}`);
  });
}

/** What golden/reference.py exits with where PyTorch is missing. */
const NO_TORCH = 77;

/** What golden/reference.py gives for a model's state, images and labels; null where no Python has PyTorch. */
export function reference(
  name: string,
  state: ReadonlyMap<string, Tensor>,
  input: Tensor,
  labels: Tensor,
): ReadonlyMap<string, Tensor> | null {
  const folder = mkdtempSync(path.join(tmpdir(), 'headrace-reference-'));
  try {
    const [source, target] = [path.join(folder, 'in.safetensors'), path.join(folder, 'out.safetensors')];
    saveSafetensors(source, new Map([...state, ['input', input], ['labels', labels]]));
    for (const python of process.env.PYTHON ? [process.env.PYTHON] : ['/usr/bin/python3', 'python3']) {
      const run = spawnSync(python, [golden('reference.py'), name, source, target], { encoding: 'utf8' });
      if (run.error || run.status === NO_TORCH) continue;
      assert.equal(run.status, 0, run.stderr);
      return loadSafetensors(target).tensors;
    }
    return null;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The gradient of every parameter, by key. */
export function gradients(module: Module): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  for (const [key, parameter] of module.namedParameters()) {
    assert.ok(parameter.grad, `${key} has no gradient`);
    found.set(key, parameter.grad);
  }
  return found;
}

/** Fails unless `actual` holds exactly the tensors that `expected` has as `kind.KEY`, within 1e-4 of each's greatest. */
export function compareAll(
  actual: ReadonlyMap<string, Tensor>,
  expected: ReadonlyMap<string, Tensor>,
  kind: string,
): void {
  assert.equal(actual.size, [...expected.keys()].filter((key) => key.startsWith(`${kind}.`)).length);
  for (const [key, value] of actual) {
    assertClose(value.to({ dtype: 'float32' }), expected.get(`${kind}.${key}`)!, 1e-4, `${kind} of ${key}`, 1e-3);
  }
}
