import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveRef } from 'headrace/pipeline';
import {
  type ModelOptions,
  modelFamily,
  modelNames,
  modelSpec,
  recipe,
  resnet18,
  resnet20,
  type VisionModel,
  visionModelRef,
  vit,
  vitTinyP4,
} from 'headrace/vision';
import { keysOf } from './support.js';

test('every name makes a model that another thread makes again from JSON', async () => {
  for (const name of modelNames) {
    const model = modelSpec({ name, classes: 7, channels: 1, imageSize: 32 });
    assert.equal(model.name, name);
    assert.deepEqual([model.classes, model.inputShape], [7, [1, 32, 32]]);
    const again = await resolveRef<VisionModel>(JSON.parse(JSON.stringify(model.ref)));
    assert.deepEqual([again.name, again.inputShape], [name, [1, 32, 32]]);
    assert.deepEqual(keysOf(again), keysOf(model));
    assert.deepEqual(visionModelRef({ name, classes: 7, channels: 1, imageSize: 32 }), model.ref);
  }
});

test('options travel with the reference', async () => {
  const model = vitTinyP4({ classes: 10, dropout: 0.1, imageSize: [16, 32] });
  assert.deepEqual(model.ref, {
    module: 'headrace/vision',
    export: 'modelSpec',
    options: { name: 'vit-tiny-p4', classes: 10, dropout: 0.1, imageSize: [16, 32] },
  });
  assert.match((await resolveRef<VisionModel>(model.ref)).layers[1]!.build().toString(), /Dropout\(p=0.1/);
});

test('an unknown name, option or size is an error that says what there is', () => {
  assert.throws(() => modelSpec({ name: 'resnet-32', classes: 2 }), /among resnet20, .*, got resnet-32. .* resnet32\?/);
  assert.throws(() => modelSpec({ name: 'ViT_tiny', classes: 2 }), /Did you mean vit-tiny-p4\?/);
  assert.throws(() => modelSpec({ name: 'toString', classes: 2 }), /got toString/);
  assert.throws(() => modelSpec({ name: 'resnet32', classes: 2, patch: 4 }), /options of resnet32 among .* got patch/);
  assert.throws(() => modelSpec({ name: 'vit-b-p16', classes: 2, width: 4 }), /got width/);
  assert.throws(() => modelSpec({ name: 'resnet32', classes: 0 }), /classes to be a whole number >= 1, got 0/);
  assert.throws(() => modelSpec({ name: 'vit', depth: 3 } as ModelOptions & { depth: number }), /classes .* undefined/);
});

test('the makers of models, too, and recipes refuse what nobody would read', () => {
  const loose = <T>(options: object): T => options as T;
  assert.throws(
    () => vit(loose({ classes: 2, patchSize: 8 })),
    /options of vit among .* got patchSize. Did you mean pat/,
  );
  assert.throws(() => vitTinyP4(loose({ classes: 2, width: 8 })), /options of vit-tiny-p4 .* got width/);
  assert.throws(() => resnet20(loose({ classes: 2, smallInput: true })), /options of resnet20 .* got smallInput/);
  assert.throws(() => resnet18(loose({ num_classes: 2 })), /options of resnet18 .* got num_classes/);
  assert.throws(() => resnet18(null as never), /options of resnet18 in an object/);
  for (const name of ['resnet20', 'vit']) {
    assert.throws(() => recipe(name, 'cifar10', loose({ batch: 4 })), /Recipe among batchSize, .* got batch\./);
  }
});

test('families know their recipe, and learning rates follow the batch size', () => {
  assert.equal(modelFamily('resnet18'), 'resnet');
  const resnet = recipe('resnet32', 'cifar10');
  assert.deepEqual(resnet.optimizer, {
    name: 'sgd',
    lr: 0.1,
    momentum: 0.9,
    weightDecay: 5e-4,
    decay: 'all',
    nesterov: true,
  });
  assert.equal(recipe('resnet32', 'cifar10', { batchSize: 512 }).optimizer.lr, 0.4);
  const vit = recipe('vit-tiny-p4', 'svhn', { batchSize: 512, epochs: 20 });
  assert.deepEqual([vit.optimizer.name, vit.optimizer.lr], ['adamw', 1e-3]);
  assert.deepEqual(vit.lrSchedule, { name: 'cosine', warmupEpochs: 2, minLr: 0 });
  assert.equal(recipe('vit', 'mnist', { lr: 0.3, batchSize: 7 }).optimizer.lr, 0.3);
  assert.throws(() => recipe('resnet32', 'mnist', { batchSize: 0 }), /batchSize to be a whole number >= 1, got 0/);
});
