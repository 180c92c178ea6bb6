/** Averages of weights against PyTorch's, see make_more_golden.py. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BatchNorm1d, Linear, Sequential } from 'headrace/nn';
import * as optim from 'headrace/optim';
import { ConfigError, liveTensors, ones, scope } from 'headrace/torch';
import { assertClose, loadState, type Packed, readGolden } from '../golden/golden.js';

type State = Readonly<Record<string, Packed>>;
type Averages = Readonly<Record<string, State>> & { readonly models: readonly State[] };
const golden = readGolden<{ averages: Averages }>('more-optim.json').averages;

function model(state: State): Sequential {
  const made = { dtype: 'float64' } as const;
  const net = new Sequential(new Linear(2, 3, made), new BatchNorm1d(3, made));
  loadState(net, state, 'float64');
  return net;
}

const cases: Record<string, [stored: string, options: optim.AveragedModelOptions, copied: boolean]> = {
  'the plain mean': ['swa', {}, true],
  'the plain mean, tensor by tensor': ['swa', { avgFn: optim.getSwaAvgFn() }, true],
  'an exponential mean': ['ema', { multiAvgFn: optim.getEmaMultiAvgFn(0.9) }, true],
  'an exponential mean, tensor by tensor': ['ema', { avgFn: optim.getEmaAvgFn(0.9) }, true],
  'the plain mean of buffers, too': ['swa of buffers', { useBuffers: true }, false],
};

for (const [name, [stored, options, copied]] of Object.entries(cases)) {
  test(`${name} is PyTorch's`, () => {
    const averaged = new optim.AveragedModel(model(golden.models[0]!), options);
    for (const state of golden.models) averaged.updateParameters(model(state));
    const own = averaged.stateDict();
    assert.deepEqual([...own.keys()], Object.keys(golden[stored]!));
    for (const [key, expected] of Object.entries(golden[stored]!)) {
      // Buffers that are not averaged are the last model's, as in PyTorch 2; in 1.13 they stayed the first one's.
      const last = golden.models.at(-1)![key.replace('module.', '')];
      const wanted = copied && /running|tracked/.test(key) ? last! : expected;
      assertClose(own.get(key), wanted, 1e-12, key);
    }
  });
}

test('the average is apart from its model, and is called as it', () => {
  const net = model(golden.models[0]!).eval();
  const averaged = new optim.AveragedModel(net);
  const x = ones([1, 2], { dtype: 'float64' });
  const before = net.forward(x).tolist();
  (net.at(0) as Linear).weight.detach().fill_(0);
  assert.deepEqual(averaged.forward(x).tolist(), before);
  const step = () => scope(() => averaged.updateParameters(net));
  step();
  const live = liveTensors();
  for (let i = 0; i < 10; i += 1) step();
  assert.equal(liveTensors(), live);
  assert.equal(averaged.n_averaged.item(), 11);
});

test('options that contradict each other or make no sense are refused', () => {
  const net = model(golden.models[0]!);
  const both = { avgFn: optim.getSwaAvgFn(), multiAvgFn: optim.getSwaMultiAvgFn() };
  assert.throws(() => new optim.AveragedModel(net, both), ConfigError);
  assert.throws(() => optim.getEmaMultiAvgFn(1.5), ConfigError);
  assert.throws(() => new optim.AveragedModel(net, { use_buffers: true } as never), /Did you mean useBuffers/);
});
