import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import {
  ConfigError,
  DataError,
  Generator,
  liveTensors,
  ShapeError,
  scope,
  type Tensor,
  tensor,
  zeros,
} from 'headrace/torch';

function block(): nn.Sequential {
  return nn.Sequential.named({
    conv: new nn.Conv2d(3, 4, 3, { bias: false }),
    bn: new nn.BatchNorm2d(4),
    act: new nn.ReLU(),
  });
}

test('parameters, buffers and modules are found by the names of their properties, in order', () => {
  const model = new nn.Sequential(block(), new nn.Flatten(), new nn.Linear(4, 2));
  assert.deepEqual(
    [...model.namedParameters()].map(([name]) => name),
    ['0.conv.weight', '0.bn.weight', '0.bn.bias', '2.weight', '2.bias'],
  );
  assert.deepEqual(
    [...model.namedBuffers()].map(([name]) => name),
    ['0.bn.running_mean', '0.bn.running_var', '0.bn.num_batches_tracked'],
  );
  assert.deepEqual(
    [...model.namedModules()].map(([name]) => name),
    ['', '0', '0.conv', '0.bn', '0.act', '1', '2'],
  );
  assert.equal(model.getSubmodule('0.bn'), (model.at(0) as nn.Sequential).at(1));
  assert.throws(() => model.getSubmodule('0.bm'), { name: 'ConfigError', message: /'bm'.*conv, bn, act/ });
});

test('the state dict holds views on the live tensors', () => {
  const layer = new nn.Linear(2, 2);
  layer.stateDict().get('weight')?.fill_(3);
  assert.deepEqual(layer.weight.tolist(), [
    [3, 3],
    [3, 3],
  ]);
  assert.equal(layer.stateDict().get('weight')?.requiresGrad, false);
});

test('a shared parameter is one parameter under two keys', () => {
  const a = new nn.Linear(3, 3);
  const b = new nn.Linear(3, 3);
  b.weight = a.weight;
  const model = new nn.Sequential(a, b);
  assert.equal([...model.parameters()].length, 3);
  assert.deepEqual([...model.stateDict().keys()], ['0.weight', '0.bias', '1.weight', '1.bias']);
});

test('a buffer that is not persistent is moved but not saved', () => {
  const layer = new nn.Identity();
  layer.registerBuffer('positions', zeros([3]), false);
  layer.registerBuffer('nothing', null);
  assert.equal(layer.stateDict().size, 0);
  layer.to({ dtype: 'float64' });
  assert.equal([...layer.namedBuffers()][0]?.[1].dtype, 'float64');
});

test('strict loading names every wrong key with its shape at once, and changes nothing', () => {
  const model = block();
  const before = model.stateDict().get('conv.weight')?.clone();
  const dict = new Map<string, Tensor>(model.stateDict());
  dict.delete('bn.bias');
  dict.set('bn.weight', zeros([5]));
  dict.set('fc.weight', zeros([2, 7]));
  dict.set('conv.weight', zeros([4, 3, 3, 3]));
  assert.throws(
    () => model.loadStateDict(dict),
    (error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, /missing keys \(1\):\s+bn\.bias \[4\]/);
      assert.match(error.message, /unexpected keys \(1\):\s+fc\.weight \[2,7\]/);
      assert.match(error.message, /wrong shapes \(1\):\s+bn\.weight: expected \[4\], got \[5\]/);
      return true;
    },
  );
  assert.deepEqual(model.stateDict().get('conv.weight')?.tolist(), before?.tolist());
});

test('loading that is not strict reports missing and unexpected keys, and still refuses wrong shapes', () => {
  const layer = new nn.Linear(2, 1);
  const result = layer.loadStateDict({ weight: tensor([[5, 6]]), extra: zeros([1]) }, { strict: false });
  assert.deepEqual(result, { missing: ['bias'], unexpected: ['extra'] });
  assert.deepEqual(layer.weight.tolist(), [[5, 6]]);
  assert.throws(
    () => layer.loadStateDict({ weight: zeros([2, 1]) }, { strict: false }),
    /weight: expected \[1,2\], got \[2,1\]/,
  );
});

test('loading converts dtypes and keeps the parameter objects', () => {
  const layer = new nn.Linear(2, 1, { bias: false });
  const { weight } = layer;
  layer.loadStateDict({ weight: tensor([[1.5, 2.5]], { dtype: 'float64' }) });
  assert.equal(layer.weight, weight);
  assert.equal(weight.dtype, 'float32');
  assert.deepEqual(weight.tolist(), [[1.5, 2.5]]);
});

test('train and eval reach all modules; requiresGrad_ and zeroGrad all parameters', () => {
  const model = new nn.Sequential(block());
  model.eval();
  assert.ok([...model.modules()].every((module) => !module.training));
  model.train();
  assert.ok([...model.modules()].every((module) => module.training));
  model.requiresGrad_(false);
  assert.ok([...model.parameters()].every((p) => !p.requiresGrad));
  model.requiresGrad_();
  scope(() =>
    model
      .forward(zeros([2, 3, 4, 4]))
      .sum()
      .backward(),
  );
  assert.ok([...model.parameters()].every((p) => p.grad !== null));
  model.zeroGrad();
  assert.ok([...model.parameters()].every((p) => p.grad === null));
});

test('to converts floating-point state in place and leaves counters alone', () => {
  const model = block();
  const parameters = [...model.parameters()];
  model.to({ dtype: 'float64', memoryFormat: 'channelsLast' });
  assert.deepEqual([...model.parameters()], parameters);
  assert.ok(parameters.every((p) => p.dtype === 'float64' && p.isLeaf));
  const state = model.stateDict();
  assert.equal(state.get('bn.running_mean')?.dtype, 'float64');
  assert.equal(state.get('bn.num_batches_tracked')?.dtype, 'int64');
  const out = model.forward(zeros([1, 3, 4, 4], { dtype: 'float64' }));
  assert.equal(out.dtype, 'float64');
  out.sum().backward();
  assert.equal(parameters[0]?.grad?.dtype, 'float64');
});

test('a module on meta costs nothing and comes to life with toEmpty', () => {
  const model = new nn.Sequential(new nn.Linear(3, 2, { device: 'meta' }), new nn.BatchNorm1d(2, { device: 'meta' }));
  assert.ok([...model.parameters()].every((p) => p.device === 'meta'));
  model.toEmpty('cpu').initialise(new Generator(1));
  assert.ok([...model.parameters(), ...model.buffers()].every((t) => t.device === 'cpu'));
  assert.deepEqual(model.stateDict().get('1.running_var')?.tolist(), [1, 1]);
  assert.deepEqual(model.forward(zeros([4, 3])).shape, [4, 2]);
});

test('a module built inside a scope lives on; its forward leaves nothing behind', () => {
  const model = scope(() => ({ net: block() })).net;
  const x = zeros([2, 3, 5, 5]);
  const before = liveTensors();
  scope(() => void model.forward(x));
  assert.equal(liveTensors(), before);
});

test('a hundred training steps in scopes leave the number of live tensors constant', () => {
  const model = new nn.Sequential(new nn.Linear(4, 8), new nn.BatchNorm1d(8), new nn.Tanh(), new nn.Linear(8, 2));
  const x = zeros([3, 4]);
  const step = () =>
    scope(() => {
      model.zeroGrad();
      model.forward(x).square().mean().backward();
    });
  step();
  const before = liveTensors();
  for (let i = 0; i < 100; i += 1) step();
  assert.equal(liveTensors(), before);
});

test('initial values depend on the generator alone', () => {
  const drawn = (seed: number) => {
    const model = new nn.Sequential(new nn.Linear(5, 4), new nn.LSTM(3, 2) as never, new nn.Embedding(3, 2));
    model.initialise(new Generator(seed));
    return [...model.parameters()].map((p) => p.tolist());
  };
  assert.deepEqual(drawn(3), drawn(3));
  assert.notDeepEqual(drawn(3), drawn(4));
});

test('skipInit builds without drawing, and ends with its function', () => {
  const weight = (build: () => nn.Linear) => build().weight.data();
  nn.skipInit(() => new nn.Linear(2, 2));
  assert.throws(() => nn.skipInit(() => new nn.Linear(-1, 2)));
  assert.ok(weight(() => new nn.Linear(50, 50)).some((value) => value !== 0));
});

test('an input of the wrong shape is a ShapeError that names the layer, what it takes and what came', () => {
  const x = zeros([2, 5, 6, 6]);
  const refused = (run: () => unknown, pattern: RegExp) =>
    assert.throws(run, (error) => error instanceof ShapeError && pattern.test(error.message));
  refused(
    () => new nn.Conv2d(3, 4, 3).forward(x),
    /Expected \[batch, 3, height, width\], got \[2,5,6,6\] in Conv2d\(3, 4/,
  );
  refused(() => new nn.Linear(3, 4).forward(x), /Expected \[\.\.\., 3\], got \[2,5,6,6\] in Linear\(in_features=3/);
  refused(() => new nn.BatchNorm2d(3).forward(x), /\[batch, 3, \.\.\.\], got \[2,5,6,6\] in BatchNorm2d/);
  refused(() => new nn.BatchNorm2d(5).forward(x.flatten(2)), /4 dimensions, got \[2,5,36\]/);
  refused(() => new nn.LayerNorm(7).forward(x), /\[\.\.\., 7\], got \[2,5,6,6\]/);
  refused(() => new nn.GroupNorm(2, 4).forward(x), /\[batch, 4, \.\.\.\], got \[2,5,6,6\]/);
  refused(() => new nn.LSTM(3, 4).forward(x), /\[time, batch, 3\], got \[2,5,6,6\]/);
  refused(() => new nn.MultiheadAttention(4, 2).forward(x, x, x), /\[length, batch, 4\], got \[2,5,6,6\]/);
  refused(() => new nn.Embedding(3, 2).forward(tensor([1n, 3n])), /indices in 0\.\.2, got 1\.\.3/);
});

test('arguments that make no sense are ConfigErrors', () => {
  const refused = (run: () => unknown) => assert.throws(run, ConfigError);
  refused(() => new nn.Conv2d(3, 4, 3, { groups: 2 }));
  refused(() => new nn.Conv2d(3, 4, [3, 3, 3]));
  refused(() => new nn.Conv2d(3, 4, 3, { stride: 2, padding: 'same' }));
  refused(() => new nn.MultiheadAttention(5, 2));
  refused(() => new nn.GroupNorm(2, 3));
  refused(() => new nn.Dropout(1.5));
  refused(() => new nn.ModuleDict({ forward: new nn.Identity() }));
  refused(() => nn.Sequential.named({ 'a.b': new nn.Identity() }));
  refused(() => new nn.ModuleList([new nn.Identity()]).at(1));
  refused(() => nn.functional.interpolate(zeros([1, 1, 2, 2]), {}));
});
