import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Linear, Module } from 'headrace/nn';
import { meanProfile, type Profile, profile, profileOfBatch, profileRun } from 'headrace/pipeline';
import type { Tensor } from 'headrace/torch';
import { resnet20 } from 'headrace/vision';
import { toy } from './toy.js';

describe('profile', () => {
  const result = profile(toy({}), { batchSize: 5, head: { kind: 'linear' }, seconds: 0 });

  it('names layers and counts parameters and bytes', () => {
    assert.deepEqual(
      result.layers.map(({ name, parameters, outputBytes, activationBytes }) => [
        name,
        parameters,
        outputBytes,
        activationBytes,
      ]),
      [
        ['first', 12 * 8 + 8, 5 * 8 * 4, 5 * (12 + 8) * 4], // the flattened input and the output
        ['second', 8 * 8 + 8, 5 * 8 * 4, 5 * 8 * 4],
        ['third', 8 * 8 + 8, 5 * 8 * 4, 5 * 8 * 4],
        ['last', 8 * 3 + 3, 5 * 3 * 4, 5 * 3 * 4],
      ],
    );
    assert.deepEqual(
      result.heads.map(({ parameters }) => parameters),
      [27, 27, 27],
    );
  });

  it('measures every part, alike for layers that are alike', () => {
    for (const cost of [...result.layers, ...result.heads]) assert.ok(cost.forward > 0 && cost.backward > 0);
    const [first, second, third] = result.layers;
    assert.deepEqual({ ...second, name: '' }, { ...third, name: '' });
    assert.equal(first?.inputGradient, 0, 'no gradient of the images is ever made');
    assert.ok(result.loss > 0);
  });

  it('measures layers that give two tensors, the halves of residual blocks', () => {
    const model = resnet20({ classes: 4, imageSize: 8 });
    const { layers, heads } = profile(model, { batchSize: 3, head: { kind: 'dgl' }, seconds: 0 });
    const middle = layers.find(({ name }) => name === 'layer2.0.conv1')!;
    assert.equal(middle.outputBytes, 3 * (32 * 4 * 4 + 16 * 8 * 8) * 4, 'the branch and the input of the block');
    assert.equal(layers.length, 20);
    for (const cost of [...layers, ...heads]) assert.ok(cost.forward > 0 && cost.backward > 0);
  });

  it('measures a first layer that passes the input on', () => {
    class Pass extends Module {
      readonly linear = new Linear(3, 3);
      override forward(x: Tensor): Tensor[] {
        return [this.linear.forward(x), x];
      }
    }
    const first = { name: 'first', prefix: 'first', build: () => new Pass() };
    const last = { name: 'last', prefix: 'last', build: () => new Linear(3, 2) };
    const head = () => new Linear(3, 2);
    const pair = { name: 'pair', classes: 2, inputShape: [3], layers: [first, last], head };
    const { layers } = profile(pair, { batchSize: 4, head: { kind: 'linear' }, seconds: 0 });
    assert.deepEqual(
      layers.map(({ outputBytes }) => outputBytes),
      [4 * 6 * 4, 4 * 2 * 4],
    );
  });

  it('leaves heads out where none are wanted', () => {
    const { heads, layers } = profile(toy({}), { batchSize: 5, head: null, seconds: 0 });
    assert.deepEqual(heads, []);
    assert.ok(layers.every((layer) => layer.inputGradient === 0));
  });
});

const costs = (seconds: number): Profile => {
  const cost = { forward: seconds, backward: 2 * seconds, update: 1, activationBytes: 100, parameters: 7 };
  return {
    model: 'toy',
    batchSize: 4,
    device: 'cpu',
    threads: 1,
    headKind: 'linear',
    layers: [{ ...cost, name: 'a', outputBytes: 10, inputGradient: seconds / 2 }],
    heads: [cost],
    input: seconds,
    loss: seconds,
  };
};

it('profiles of several threads are averaged', () => {
  assert.deepEqual(meanProfile([costs(1), costs(3)]), costs(2));
});

it('the profile of a microbatch becomes that of a batch, with one update', () => {
  const batch = profileOfBatch(costs(1), 4, 15);
  assert.equal(batch.batchSize, 15);
  const [layer] = batch.layers;
  const { forward, backward, update, outputBytes, activationBytes } = layer!;
  assert.deepEqual({ forward, backward, update }, { forward: 4, backward: 8, update: 1 });
  assert.deepEqual({ outputBytes, activationBytes }, { outputBytes: 40, activationBytes: 400 });
  assert.deepEqual(profileOfBatch(costs(1), 1, 4), costs(1));
});

describe('profileRun', () => {
  const config = (options: object) =>
    ({
      model: { module: new URL('./toy.js', import.meta.url).href, export: 'toy', options },
      schedule: '1f1b',
      stages: 2,
      head: { kind: 'linear' },
      microbatches: 2,
      batchSize: 6,
      seed: 0,
      threads: 1,
      devices: ['cpu'],
      memoryFormat: 'contiguous',
    }) as const;

  it('measures on threads like those of the run', async () => {
    const result = await profileRun(config({}), 0);
    assert.equal(result.batchSize, 6);
    assert.equal(result.layers[1]?.outputBytes, 6 * 8 * 4);
    assert.deepEqual(result.heads, [], 'a backprop pipeline has no heads');
  });

  it('tells why a model cannot be profiled', async () => {
    await assert.rejects(profileRun(config({ broken: true }), 0), {
      name: 'HeadraceError',
      message: /Cannot profile the model: .*(8|9)/,
    });
  });
});
