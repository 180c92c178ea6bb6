/** Every layer and loss against PyTorch: outputs, gradients of inputs and parameters, buffers, printed form, keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as nn from 'headrace/nn';
import { type DType, scope, Tensor } from 'headrace/torch';
import { assertClose, type LayerCase, loadState, readGolden, unpack, weighed } from '../golden/golden.js';
import { type Case, layerCases } from './cases.js';
import { lossCases } from './loss-cases.js';
import { moreCases } from './more-cases.js';
import { styleCases } from './style-cases.js';

const golden = readGolden<{ printed: string; cases: Record<string, LayerCase> }>('layers.json');
const more = readGolden<{ cases: Record<string, LayerCase> }>('more-layers.json');
const style = readGolden<{ cases: Record<string, LayerCase> }>('style-layers.json');
const storedCases = { ...golden.cases, ...more.cases, ...style.cases };
const cases: Record<string, Case> = { ...layerCases, ...lossCases, ...moreCases, ...styleCases };

test('every stored case is tested, and no other', () => {
  assert.deepEqual(Object.keys(cases).sort(), Object.keys(storedCases).sort());
});

for (const [name, stored] of Object.entries(storedCases)) {
  const tried = cases[name];
  if (!tried) continue;
  test(`${name} gives PyTorch's values and gradients in float64 and float32`, () => {
    check(tried, stored, 'float64', 1e-10);
    check(tried, stored, 'float32', 2e-5);
  });
  if (stored.repr) {
    test(`${name} prints as in PyTorch`, () => {
      assert.equal(tried.make?.({}).toString(), stored.repr);
    });
  }
}

function check({ make, call }: Case, stored: LayerCase, dtype: DType, tolerance: number): void {
  scope(() => {
    const module = make?.({ dtype });
    if (module && stored.state) {
      assert.deepEqual([...module.stateDict().keys()], Object.keys(stored.state), 'state dict keys');
      loadState(module, stored.state, dtype);
    }
    const inputs = stored.inputs.map((packed) => unpack(packed, dtype));
    for (const x of inputs) x.requiresGrad = x.dtype === dtype;
    const forward =
      call ?? ((m: nn.Module, ...xs: Tensor[]) => (m as unknown as { forward(...x: Tensor[]): Tensor }).forward(...xs));
    const result = forward(module as nn.Module, ...inputs);
    const outputs = (result instanceof Tensor ? [result] : [...result]).filter((out) => out !== null);
    assert.equal(outputs.length, stored.outputs.length, 'number of outputs');
    for (const [i, out] of outputs.entries()) assertClose(out, stored.outputs[i]!, tolerance, `output ${i}`);
    weighed(outputs).backward();
    stored.inputGrads?.forEach((grad, i) => {
      if (grad) assertClose(inputs[i]!.grad, grad, 10 * tolerance, `gradient of input ${i}`);
    });
    const parameters = new Map(module?.namedParameters() ?? []);
    for (const [key, grad] of Object.entries(stored.grads ?? {})) {
      assertClose(parameters.get(key)?.grad, grad, 10 * tolerance, `gradient of ${key}`);
    }
    const state = module?.stateDict();
    for (const [key, value] of Object.entries(stored.stateAfter ?? {})) {
      assertClose(state?.get(key), value, tolerance, `${key} afterwards`);
    }
  });
}

test('a nested model prints as in PyTorch', () => {
  const model = nn.Sequential.named({
    stem: new nn.Sequential(
      new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }),
      new nn.BatchNorm2d(8),
      new nn.ReLU({ inplace: true }),
    ),
    pool: new nn.AdaptiveAvgPool2d(1),
    heads: new nn.ModuleList<nn.Module>([new nn.Linear(8, 2), new nn.Identity()]),
    named: new nn.ModuleDict<nn.Module>({ a: new nn.Dropout(0.25), b: new nn.Embedding(3, 2, { paddingIdx: 0 }) }),
    lstm: new nn.LSTM(3, 4, { numLayers: 2, batchFirst: true, dropout: 0.5, bidirectional: true }),
  } as unknown as Record<string, nn.UnaryModule>);
  assert.equal(model.toString(), golden.printed);
});
