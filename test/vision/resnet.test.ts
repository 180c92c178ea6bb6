import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conv2d } from 'headrace/nn';
import { buildModel, tensorsOf } from 'headrace/pipeline';
import { enableGrad, ops, scope, tensor } from 'headrace/torch';
import { Bottleneck, modelSpec, resnet18, resnet20, resnet32, resnet50, resnet56, resnet110 } from 'headrace/vision';
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

test("ResNet-18 and ResNet-50 have torchvision's keys and shapes, in its order", () => {
  assert.deepEqual(keysOf(resnet18({ classes: 1000 })), storedKeys('resnet18'));
  assert.deepEqual(keysOf(resnet50({ classes: 1000 })), storedKeys('resnet50'));
});

test('ResNets have the published numbers of parameters', () => {
  const count = (name: string, classes: number) => parameterCount(modelSpec({ name, classes }));
  assert.equal(count('resnet18', 1000), 11_689_512);
  assert.equal(count('resnet34', 1000), 21_797_672);
  assert.equal(count('resnet50', 1000), 25_557_032);
  // The CIFAR form's are given in millions: 0.27, 0.46, 0.85, 1.7 with shortcuts that have no parameters. The two
  // projections add 16·32 + 32·64 weights and their normalisations, 2,752 in all.
  assert.equal(count('resnet20', 10), 269_722 + 2_752);
  assert.equal(count('resnet32', 10), 464_154 + 2_752);
  assert.equal(count('resnet56', 10), 853_018 + 2_752);
  assert.equal(count('resnet110', 10), 1_727_962 + 2_752);
});

test('the CIFAR form lists its stem, the halves of every residual block and its end, and halves the map twice', () => {
  const model = resnet20({ classes: 10 });
  const blocks = [1, 2, 3].flatMap((group) => [0, 1, 2].map((block) => `layer${group}.${block}`));
  assert.deepEqual(
    model.layers.map((layer) => layer.name),
    ['stem', ...blocks.flatMap((block) => [`${block}.conv1`, `${block}.conv2`]), 'final'],
  );
  assert.deepEqual(layerShapes(model, 2), [
    ...Array.from({ length: 7 }, () => [2, 16, 32, 32]),
    ...Array.from({ length: 6 }, () => [2, 32, 16, 16]),
    ...Array.from({ length: 6 }, () => [2, 64, 8, 8]),
    [2, 10],
  ]);
});

test('grey digits of 28 x 28 pass, sides that are odd after halving too', () => {
  const shapes = layerShapes(resnet20({ classes: 10, channels: 1, imageSize: 28 }), 3);
  assert.deepEqual(shapes[0], [3, 16, 28, 28]);
  assert.deepEqual(shapes.at(-2), [3, 64, 7, 7]);
  const odd = layerShapes(resnet20({ classes: 10, imageSize: [31, 45] }));
  assert.deepEqual(odd.at(-2), [1, 64, 8, 12]);
});

test('the deeper CIFAR forms pass', () => {
  for (const make of [resnet32, resnet56, resnet110]) {
    assert.deepEqual(layerShapes(make({ classes: 7 })).slice(-2), [
      [1, 64, 8, 8],
      [1, 7],
    ]);
  }
});

test("the ImageNet form has torchvision's stem from 65 pixels on, a 3x3 stem below, or as asked", () => {
  const maps = (imageSize: number, smallInput?: boolean) => {
    const shapes = layerShapes(
      resnet18({ classes: 10, imageSize, ...(smallInput === undefined ? {} : { smallInput }) }),
    );
    return [shapes[0]!.slice(1), shapes.at(-2)!.slice(1), shapes.at(-1)!.slice(1)];
  };
  assert.deepEqual(maps(224), [[64, 56, 56], [512, 7, 7], [10]]);
  assert.deepEqual(maps(96), [[64, 24, 24], [512, 3, 3], [10]]);
  assert.deepEqual(maps(64), [[64, 64, 64], [512, 8, 8], [10]]);
  assert.deepEqual(maps(32), [[64, 32, 32], [512, 4, 4], [10]]);
  assert.deepEqual(maps(96, true)[0], [64, 96, 96]);
  assert.deepEqual(maps(32, false)[0], [64, 8, 8]);
});

test('ResNet-50 passes at 224 pixels', () => {
  const model = resnet50({ classes: 5 });
  const shapes = layerShapes(model);
  const { layers } = model;
  assert.deepEqual(
    ['1.0', '2.0', '3.0', '4.0'].map((name) => shapes[layers.findIndex((l) => l.name === `layer${name}.conv3`)]),
    [
      [1, 256, 56, 56],
      [1, 512, 28, 28],
      [1, 1024, 14, 14],
      [1, 2048, 7, 7],
    ],
  );
  assert.deepEqual(shapes.at(-1), [1, 5]);
});

test('convolutions begin He-normal by the fan-out, normalisations at one and zero, fc as PyTorch draws it', () => {
  const model = buildModel(resnet18({ classes: 1000, imageSize: 32 }), { seed: 3 });
  const state = model.stateDict();
  const moments = (key: string) => scope(() => [state.get(key)!.mean().item(), state.get(key)!.std().item()] as const);
  const [mean, std] = moments('layer4.1.conv2.weight');
  const expected = Math.sqrt(2 / (512 * 9));
  assert.ok(Math.abs(mean) < expected / 100 && Math.abs(std / expected - 1) < 0.01, `${mean} ${std}`);
  const [, down] = moments('layer4.0.downsample.0.weight');
  assert.ok(Math.abs(down / Math.sqrt(2 / 512) - 1) < 0.02);
  assert.deepEqual(moments('bn1.weight'), [1, 0]);
  assert.deepEqual(moments('bn1.bias'), [0, 0]);
  const bound = 1 / Math.sqrt(512);
  const most = scope(() => state.get('fc.weight')!.abs().max().item());
  assert.ok(most <= bound && most > 0.99 * bound);
});

test('the layers in a row are the whole model', () => {
  const spec = resnet20({ classes: 10, imageSize: 8 });
  const model = buildModel(spec, { seed: 5 }).eval();
  scope(() => {
    const input = images(2, spec.inputShape);
    assert.deepEqual(layerByLayer(model, input).tolist(), model.forward(input).tolist());
  });
});

test('every module is found by the path that its keys have, and a wrong path names what is there', () => {
  const model = buildModel(resnet20({ classes: 10 }));
  const state = model.stateDict();
  for (const path of ['conv1', 'layer1.0.conv1', 'layer1.0.conv2', 'layer2.0.downsample.0', 'fc']) {
    const { weight } = model.getSubmodule(path) as Conv2d;
    assert.deepEqual(weight.bytes(), state.get(`${path}.weight`)!.bytes(), path);
  }
  assert.throws(
    () => model.getSubmodule('layer1.0.conv3'),
    /'conv3' \(of path 'layer1.0.conv3'\) in .*, which has conv1, bn1, conv2, bn2$/,
  );
  const block = new Bottleneck({ inChannels: 4, width: 4, stride: 1 });
  assert.throws(
    () => block.getSubmodule('conv4'),
    /in Bottleneck, which has conv1, bn1, conv2, bn2, conv3, bn3, downsample/,
  );
});

test('layers leave their inputs as they were: the next stage and the head read them at the same time', () => {
  const spec = resnet20({ classes: 10, imageSize: 8 });
  scope(() => {
    let x = [images(2, spec.inputShape)];
    for (const [name, layer] of buildModel(spec).named()) {
      const before = x.map((input) => input.tolist());
      const y = tensorsOf(layer.forward(...x));
      assert.deepEqual(
        x.map((input) => input.tolist()),
        before,
        name,
      );
      x = y;
    }
  });
});

test('ResNet-32 agrees with PyTorch: logits, gradients, running statistics', (t) => {
  const spec = resnet32({ classes: 10, imageSize: 16 });
  const model = buildModel(spec, { seed: 11 });
  scope(() => {
    const input = images(6, spec.inputShape);
    const labels = tensor([1, 0, 9, 3, 3, 7], { dtype: 'int64' });
    const expected = reference('resnet32', model.stateDict(), input, labels);
    if (!expected) return t.skip('no Python with PyTorch; set PYTHON to one');
    assertClose(model.eval().forward(input), expected.get('eval')!, 1e-5, 'logits in evaluation');
    const logits = model.train().forward(input);
    assertClose(logits, expected.get('train')!, 1e-5, 'logits in training');
    ops.crossEntropyLoss(logits, labels).backward();
    compareAll(gradients(model), expected, 'grad');
    compareAll(new Map(model.namedBuffers()), expected, 'after');
  });
});

test("a bottleneck agrees with torchvision's", (t) => {
  // layer2.0 of ResNet-50: 256 channels to a width of 128, at half the size.
  const block = new Bottleneck({ inChannels: 256, width: 128, stride: 2 });
  scope(() => {
    const input = images(2, [256, 6, 6]);
    const labels = tensor([5, 300], { dtype: 'int64' });
    const expected = reference('bottleneck', block.stateDict(), input, labels);
    if (!expected) return t.skip('no Python with PyTorch; set PYTHON to one');
    const logits = enableGrad(() => block.forward(input).mean([2, 3]));
    assertClose(logits, expected.get('train')!, 1e-5, 'output');
    ops.crossEntropyLoss(logits, labels).backward();
    compareAll(gradients(block), expected, 'grad');
  });
});
