import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, checkOptions, nearest } from 'headrace';

const refusal = (options: unknown, known: readonly string[]) => {
  try {
    checkOptions('Linear', options, known);
    return null;
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
};

test('known options pass, and none at all', () => {
  assert.equal(refusal({ bias: false }, ['bias', 'dtype']), null);
  assert.equal(refusal({}, []), null);
  assert.equal(refusal(undefined, ['bias']), null);
});

test('an unknown option is named with the nearest known one, and with all', () => {
  assert.equal(
    refusal({ bais: false }, ['bias', 'dtype']),
    'Expected options of Linear among bias, dtype, got bais. Did you mean bias?',
  );
  assert.equal(
    refusal({ weight_decay: 0.1 }, ['lr', 'weightDecay']),
    'Expected options of Linear among lr, weightDecay, got weight_decay. Did you mean weightDecay?',
  );
  assert.equal(refusal({ a: 1, b: 2 }, ['bias']), 'Expected options of Linear among bias, got a, b.');
});

test('what is no object is refused', () => {
  assert.match(refusal(true, ['bias'])!, /Expected the options of Linear in an object, \{ bias \}, got boolean true/);
  assert.match(refusal([1], ['bias'])!, /got an array/);
  assert.match(refusal(null, ['bias'])!, /got null/);
});

test('the nearest name is null where nothing is like it', () => {
  assert.equal(nearest('Resnet-20', ['resnet20', 'vit']), 'resnet20');
  assert.equal(nearest('zzzzzz', ['bias', 'dtype']), null);
});
