import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveTensors, type Tensor, tensor, unique, uniqueConsecutive } from 'headrace/torch';

const lists = (found: Tensor | Tensor[]) => (Array.isArray(found) ? found : [found]).map((x) => x.tolist());

// Values by torch 1.13: torch.unique(tensor([3, 1, 2, 1, 3, 3]), return_inverse=True, return_counts=True) and so on.
test('unique gives the values, and the inverse and counts that are asked for', () => {
  const x = tensor([3n, 1n, 2n, 1n, 3n, 3n]);
  assert.deepEqual(lists(unique(x)), [[1, 2, 3]]);
  assert.deepEqual(lists(x.unique()), [[1, 2, 3]]);
  assert.deepEqual(lists(unique(x, { returnInverse: true, returnCounts: true })), [
    [1, 2, 3],
    [2, 0, 1, 0, 2, 2],
    [2, 1, 3],
  ]);
  const [values, counts] = unique(x, { returnCounts: true });
  assert.deepEqual([values!.dtype, counts!.tolist()], ['int64', [2, 1, 3]]);
});

test('unique compares slices along a dimension', () => {
  const rows = tensor([
    [1, 2],
    [3, 4],
    [1, 2],
  ]); // prettier-ignore
  assert.deepEqual(lists(unique(rows, { dim: 0, returnInverse: true })), [
    [
      [1, 2],
      [3, 4],
    ],
    [0, 1, 0],
  ]); // prettier-ignore
  assert.deepEqual(lists(unique(rows)), [[1, 2, 3, 4]]);
});

test('uniqueConsecutive looks at runs, and keeps their order', () => {
  const x = tensor([1, 1, 2, 2, 3, 1, 1, 2]);
  assert.deepEqual(lists(uniqueConsecutive(x)), [[1, 2, 3, 1, 2]]);
  assert.deepEqual(lists(uniqueConsecutive(x, { returnCounts: true })), [
    [1, 2, 3, 1, 2],
    [2, 2, 1, 2, 1],
  ]); // prettier-ignore
  assert.deepEqual(lists(uniqueConsecutive(x, { returnInverse: true }))[1], [0, 0, 1, 1, 2, 3, 3, 4]);
});

test('what was not asked for is not left behind, and unknown options are refused', () => {
  const x = tensor([2, 1]);
  const before = liveTensors('thread');
  unique(x).dispose();
  assert.equal(liveTensors('thread'), before);
  assert.throws(() => unique(x, { return_counts: true } as never), { name: 'ConfigError', message: /returnCounts/ });
});
