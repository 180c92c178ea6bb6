import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildModel } from 'headrace/pipeline';
import { Generator, randn, scope } from 'headrace/torch';
import { modelSpec } from 'headrace/vision';

for (const name of ['resnet20', 'vit-tiny-p4']) {
  test(`a clone of ${name} gives the same, and is independent`, () => {
    scope(() => {
      const model = buildModel(modelSpec({ name, classes: 3, channels: 1, imageSize: 16 })).eval();
      const x = randn([2, 1, 16, 16], { generator: new Generator(1) });
      const expected = model.forward(x).tolist();
      const clone = model.clone();
      assert.deepEqual([...clone.stateDict().keys()], [...model.stateDict().keys()]);
      for (const p of model.parameters()) p.detach().fill_(0);
      assert.deepEqual(clone.forward(x).tolist(), expected);
    });
  });
}
