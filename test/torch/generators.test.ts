import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  defaultGenerator,
  deriveSeed,
  Generator,
  manualSeed,
  ops,
  rand,
  randint,
  randn,
  randperm,
  tensor,
} from 'headrace/torch';

const draw = (generator: Generator) => randn([5], { generator }).tolist() as number[];

test('the same seed gives the same numbers, another seed others', () => {
  assert.deepEqual(draw(new Generator(7)), draw(new Generator(7)));
  assert.notDeepEqual(draw(new Generator(7)), draw(new Generator(8)));
});

test('the numbers are those of PyTorch for the same seed', () => {
  // torch.manual_seed(0); torch.randn(3); torch.rand(2); torch.randint(0, 10, (4,)); torch.randperm(5)
  const generator = new Generator(0);
  const close = (got: unknown, want: readonly number[]) =>
    want.forEach((value, i) => {
      assert.ok(Math.abs((got as number[])[i]! - value) < 1e-6, `${got} against ${want}`);
    });
  close(randn([3], { generator }).tolist(), [1.5409960746765137, -0.293428897857666, -2.1787893772125244]);
  close(rand([2], { generator }).tolist(), [0.455627977848053, 0.6323062777519226]);
  assert.deepEqual(randint(0, 10, [4], { generator }).tolist(), [1, 6, 6, 9]);
  assert.deepEqual(randperm(5, { generator }).tolist(), [3, 1, 2, 0, 4]);
});

test('getState and setState continue from exactly there', () => {
  const generator = new Generator(3);
  draw(generator);
  const state = generator.getState();
  assert.equal(state.dtype, 'uint8');
  const next = draw(generator);
  generator.setState(state);
  assert.deepEqual(draw(generator), next);
  const other = new Generator(99);
  other.setState(state);
  assert.deepEqual(draw(other), next);
});

test('manualSeed starts again; seeds of 64 bits and below zero are taken', () => {
  const generator = new Generator(2n ** 63n);
  const first = draw(generator);
  draw(generator);
  assert.deepEqual(draw(generator.manualSeed(2n ** 63n)), first);
  assert.equal(generator.initialSeed, 2n ** 63n);
  assert.equal(new Generator(-1).initialSeed, 2n ** 64n - 1n);
});

test('a generator is independent of the default one and of others', () => {
  const expected = draw(new Generator(5));
  const generator = new Generator(5);
  const other = new Generator(6);
  const state = defaultGenerator.getState();
  draw(other);
  assert.deepEqual(draw(generator), expected);
  assert.ok(ops.equal(defaultGenerator.getState(), state), 'the default generator was not drawn from');
  randn([100]);
  draw(other);
  assert.deepEqual(draw(generator.manualSeed(5)), expected);
});

test('manualSeed() seeds what is drawn without a generator', () => {
  manualSeed(11);
  const first = randn([4]).tolist();
  manualSeed(11);
  assert.deepEqual(randn([4]).tolist(), first);
  assert.deepEqual(randn([4], { generator: new Generator(11) }).tolist(), first);
});

test('a generator that was disposed of is refused', () => {
  const generator = new Generator(0);
  generator.dispose();
  generator.dispose();
  const freed = { name: 'TorchError', code: 'FREED', message: /generator was freed/ };
  assert.throws(() => draw(generator), freed);
  assert.throws(() => generator.getState(), freed);
  assert.throws(() => generator.manualSeed(1), freed);
});

test('operators take a generator by name', () => {
  const drop = () => ops.bernoulli(tensor([0.5, 0.5, 0.5, 0.5]), { generator: new Generator(1) }).tolist();
  assert.deepEqual(drop(), drop());
});

// The values come from the same hash written in Python.
test('deriveSeed is stable across machines and versions', () => {
  assert.equal(deriveSeed(0), 2709259798508530);
  assert.equal(deriveSeed(0, 'init', 'layer1.conv1'), 245292692063060);
  assert.equal(deriveSeed(123456789, 'shuffle', 7), 5718944958026858);
});

test('deriveSeed tells names, their order and their types apart, within 53 bits', () => {
  const seeds = [
    deriveSeed(0, 'a', 'b'),
    deriveSeed(0, 'b', 'a'),
    deriveSeed(0, 'ab'),
    deriveSeed(1, 'a', 'b'),
    deriveSeed(0, 1),
    deriveSeed(0, '1'),
    deriveSeed(0, 'é'),
  ];
  assert.equal(new Set(seeds).size, seeds.length);
  for (const seed of seeds) assert.ok(Number.isSafeInteger(seed) && seed >= 0);
});

test('wrong seeds, devices and states are refused', () => {
  assert.throws(() => new Generator(1.5), { name: 'ConfigError', message: /integer seed.*got 1\.5/ });
  assert.throws(() => new Generator(2 ** 60), { name: 'ConfigError' });
  assert.throws(() => new Generator(0, 'nonsense'), { name: 'TorchError', message: /nonsense/ });
  assert.throws(() => new Generator(0).setState(tensor([1])), { name: 'TorchError', message: /ByteTensor/ });
});
