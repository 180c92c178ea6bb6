import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nn, ops, optim, randn } from 'headrace';

const of = (value: object): Record<string, unknown> => value as Record<string, unknown>;
const refused = (here: string) => ({
  name: 'TorchError',
  code: 'SPELLING',
  message: new RegExp(`in Headrace it is ${here}\\.$`),
});

test("reading PyTorch's spelling of a member names the one that there is", () => {
  const model = new nn.Linear(2, 3);
  const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
  const scheduler = new optim.StepLR(optimizer, { stepSize: 1 });
  const spelled: [object, string, string][] = [
    [randn([2]), 'grad_fn', 'gradFn'],
    [randn([2]), 'is_leaf', 'isLeaf'],
    [randn([2]), 'index_select', 'indexSelect'],
    [randn([2]), 'masked_fill_', 'maskedFill_'],
    [randn([2]), 'requires_grad_', 'requiresGrad_'],
    [model.weight, 'requires_grad', 'requiresGrad'],
    [model, 'state_dict', 'stateDict'],
    [model, 'load_state_dict', 'loadStateDict'],
    [model, 'zero_grad', 'zeroGrad'],
    [model, 'named_parameters', 'namedParameters'],
    [model, 'register_forward_hook', 'registerForwardHook'],
    [model, 'in_features', 'inFeatures'],
    [optimizer, 'zero_grad', 'zeroGrad'],
    [optimizer, 'param_groups', 'paramGroups'],
    [scheduler, 'get_last_lr', 'getLastLr'],
  ];
  for (const [object, theirs, here] of spelled) assert.throws(() => of(object)[theirs], refused(here), theirs);
  assert.throws(() => of(ops).index_select, /no operator 'index_select': in Headrace it is indexSelect/);
});

test("setting PyTorch's spelling is refused rather than kept where nobody reads it", () => {
  const model = new nn.Linear(2, 3);
  const optimizer = new optim.SGD(model.parameters(), { lr: 1 });
  const set = (object: object, name: string) => () => Object.assign(object, { [name]: false });
  assert.throws(set(model.weight, 'requires_grad'), refused('requiresGrad'));
  assert.throws(set(randn([2]), 'requires_grad'), refused('requiresGrad'));
  assert.throws(set(optimizer.paramGroups[0] as object, 'weight_decay'), refused('weightDecay'));
  assert.equal(model.weight.requiresGrad, true);
  assert.deepEqual({ ...optimizer.paramGroups[0], params: [] }.weightDecay, 0);
});

test('what a module or tensor has under a name with an underscore, or lacks under both, stays as it is', () => {
  const norm = new nn.BatchNorm1d(2);
  assert.deepEqual(norm.running_mean?.tolist(), [0, 0]);
  const model = new (class extends nn.Module {
    conv_in = new nn.Linear(1, 1);
    forward(): void {}
  })();
  Object.assign(model, { fc_out: new nn.Linear(1, 1) });
  assert.deepEqual([...model.stateDict().keys()], ['conv_in.weight', 'conv_in.bias', 'fc_out.weight', 'fc_out.bias']);
  assert.equal(of(model).no_such_thing, undefined);
  assert.equal(of(randn([1])).no_such_thing, undefined);
});
