import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildModel } from 'headrace/pipeline';
import { Generator, gradcheck, ops, scope, tensor } from 'headrace/torch';
import { Attention, Block, modelSpec, vit, vitBP16 } from 'headrace/vision';
import {
  assertClose,
  compareAll,
  gradients,
  images,
  keysOf,
  layerByLayer,
  layerShapes,
  parameterCount,
  reference,
  storedKeys,
} from './support.js';

const small = { classes: 5, imageSize: 16, patch: 4, width: 32, depth: 3, heads: 4 };
const shape = { width: 12, heads: 3, mlpRatio: 2, dropout: 0, attentionDropout: 0, dropPath: 0 };

test("ViT-B/16 has timm's keys and shapes, in its order", () => {
  assert.deepEqual(keysOf(vitBP16({ classes: 1000 })), storedKeys('vit_b_p16'));
});

test('ViTs have the published numbers of parameters', () => {
  assert.equal(parameterCount(vitBP16({ classes: 1000 })), 86_567_656);
  // By hand: 12·(12·192² + 13·192) + 49·192 (patches) + 66·192 (token, positions) + 2·192 (norm) + 193·10 (head).
  assert.equal(parameterCount(modelSpec({ name: 'vit-tiny-p4', classes: 10 })), 5_362_762);
});

test('the presets pass, and the last block gives out the class token alone', () => {
  for (const [name, width] of [
    ['vit-tiny-p4', 192],
    ['vit-small-p4', 384],
  ] as const) {
    const model = modelSpec({ name, classes: 10 });
    assert.deepEqual(
      model.layers.map((layer) => layer.name),
      ['embed', ...Array.from({ length: 24 }, (_, i) => `blocks.${i >> 1}.${i % 2 ? 'mlp' : 'attn'}`), 'final'],
    );
    assert.deepEqual(layerShapes(model), [
      ...Array.from({ length: 23 }, () => [1, 65, width]),
      ...Array.from({ length: 2 }, () => [1, 1, width]),
      [1, 10],
    ]);
  }
  const base = layerShapes(vitBP16({ classes: 3 }));
  assert.deepEqual(
    [base[0], base.at(-1)],
    [
      [1, 197, 768],
      [1, 3],
    ],
  );
});

test('images of any size and channels pass that the patches divide', () => {
  const last = (imageSize: number | [number, number], channels: number) =>
    layerShapes(vit({ ...small, imageSize, channels }), 2)[0];
  assert.deepEqual(last(28, 1), [2, 50, 32]);
  assert.deepEqual(last([96, 8], 3), [2, 49, 32]);
  assert.throws(() => vit({ ...small, imageSize: 30 }), /multiple of the patch 4, got 30 x 30/);
  assert.throws(() => vit({ ...small, heads: 5 }), /heads that divide the width 32, got 5/);
  assert.throws(() => buildModel(vit(small)).forward(images(2, [3, 16, 12])), /Expected images \[batch, 3, 16, 16\]/);
});

test('weights begin as timm draws them', () => {
  const state = buildModel(vit({ ...small, width: 128 }), { seed: 1 }).stateDict();
  const std = (key: string) => scope(() => state.get(key)!.std().item());
  for (const key of ['pos_embed', 'blocks.0.attn.qkv.weight', 'blocks.2.mlp.fc1.weight', 'head.weight']) {
    assert.ok(Math.abs(std(key) / 0.02 - 1) < 0.1, `${key}: ${std(key)}`);
  }
  assert.ok(std('cls_token') < 2e-6);
  for (const key of ['blocks.0.attn.qkv.bias', 'head.bias', 'norm.bias']) assert.equal(std(key), 0);
  const bound = 1 / Math.sqrt(48);
  assert.ok(scope(() => state.get('patch_embed.proj.weight')!.abs().max().item()) <= bound);
});

test('the layers in a row are the whole model', () => {
  const spec = vit(small);
  const model = buildModel(spec, { seed: 5 });
  scope(() => {
    const input = images(2, spec.inputShape);
    assert.deepEqual(layerByLayer(model, input).tolist(), model.forward(input).tolist());
  });
});

test('a block for the class token alone gives the first row of the full block, and its gradients', () => {
  const made = { dtype: 'float64' } as const;
  const full = new Block(shape, made);
  const first = new Block(shape, { ...made, classTokenOnly: true });
  full.initialise(new Generator(2));
  scope(() => {
    // Away from zero, where the biases of keys and values would be lost.
    for (const parameter of full.parameters()) parameter.setData(parameter.detach().mul(20).add(0.05));
    first.loadStateDict(full.stateDict());
    const x = images(3, [7, 12]).to(made);
    const [a, b] = [x.clone(), x.clone()];
    for (const input of [a, b]) input.requiresGrad = true;
    const expected = full.forward(a).narrow(1, 0, 1);
    const actual = first.forward(b);
    assertClose(actual, expected, 1e-12, 'output');
    for (const out of [expected, actual]) out.pow(2).sum().backward();
    assertClose(b.grad!, a.grad!, 1e-12, 'gradient of the input');
    for (const [key, gradient] of gradients(full)) assertClose(gradients(first).get(key)!, gradient, 1e-12, key);
  });
});

test('the gradients of both kinds of attention agree with finite differences', () => {
  const attention = new Attention(shape, { dtype: 'float64' });
  attention.initialise(new Generator(4));
  scope(() => {
    for (const parameter of attention.parameters()) parameter.setData(parameter.detach().mul(20).add(0.05));
    const x = images(2, [3, 12]).to({ dtype: 'float64' });
    x.requiresGrad = true;
    assert.ok(gradcheck((...inputs) => attention.forward(inputs[0]!), [x, ...attention.parameters()]));
    assert.ok(gradcheck((...inputs) => attention.firstToken(inputs[0]!), [x, ...attention.parameters()]));
  });
});

test('dropout draws from the given generator, in training only', () => {
  const spec = vit({ ...small, dropout: 0.2, attentionDropout: 0.2, dropPath: 0.3 });
  const model = buildModel(spec, { seed: 1 });
  const input = images(4, spec.inputShape);
  const run = (seed: number) => {
    model.setGenerator(new Generator(seed));
    return scope(() => model.forward(input).tolist());
  };
  assert.deepEqual(run(1), run(1));
  assert.notDeepEqual(run(1), run(2));
  model.eval();
  assert.deepEqual(run(1), run(2));
});

test('a small ViT agrees with PyTorch: logits and gradients', (t) => {
  const spec = vit({ ...small, channels: 2 });
  const model = buildModel(spec, { seed: 11 });
  scope(() => {
    for (const parameter of model.parameters()) parameter.setData(parameter.detach().mul(3).add(0.01));
    const input = images(4, spec.inputShape);
    const labels = tensor([1, 0, 4, 3], { dtype: 'int64' });
    const expected = reference('vit:4', model.stateDict(), input, labels);
    if (!expected) return t.skip('no Python with PyTorch; set PYTHON to one');
    const logits = model.forward(input);
    assertClose(logits, expected.get('train')!, 1e-5, 'logits');
    assertClose(model.eval().forward(input), expected.get('eval')!, 1e-5, 'logits in evaluation');
    ops.crossEntropyLoss(logits, labels).backward();
    compareAll(gradients(model), expected, 'grad');
  });
});
