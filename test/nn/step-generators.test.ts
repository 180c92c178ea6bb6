// Random numbers of a training step depend on the seed, the part and the step alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dropout, functional, Linear, Sequential, StepGenerators } from 'headrace/nn';
import { deriveSeed, Generator, ones } from 'headrace/torch';

const x = ones([64]);

test('a part draws what its seed, name and step say, whatever was drawn before', () => {
  const [a, b] = [new Dropout(0.5), new Sequential(new Linear(64, 64), new Dropout(0.5))];
  const generators = new StepGenerators(7, [
    ['a', a],
    ['b', b],
  ]);
  generators.begin(3);
  b.forward(x);
  const mask = a.forward(x).tolist();
  const expected = functional.dropout(x, 0.5, true, new Generator(deriveSeed(7, 'run', 'a', 3)));
  assert.deepEqual(mask, expected.tolist());
  a.forward(x);
  generators.begin(4);
  assert.notDeepEqual(a.forward(x).tolist(), mask);
  generators.begin(3);
  assert.deepEqual(a.forward(x).tolist(), mask);
});

test('a part that draws nothing is left alone', () => {
  const linear = new Linear(2, 2);
  new StepGenerators(1, [['linear', linear]]).begin(1);
  assert.ok(!('generator' in linear));
});
