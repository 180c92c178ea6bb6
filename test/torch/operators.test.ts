import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { buildInfo, hasOp, op, operatorSchemas, ops, Tensor, tensor } from 'headrace/torch';

const root = new URL('../../../', import.meta.url);
const { generate, target, camelCase } = (await import(new URL('scripts/generate-operators.mjs', root).href)) as {
  generate(schemas: string[]): string;
  target: string;
  camelCase(name: string): string;
};

// What a call can hold, and lists of the same, save of strings: those are lists of dimension names.
const HELD = 'Tensor|Scalar|int|SymInt|float|bool|str|Device|ScalarType|Layout|MemoryFormat|Generator';
const HELD_IN_LISTS = 'Tensor|Scalar|int|SymInt|float|bool';
const KNOWN = new RegExp(
  `^(?:(?:${HELD})(?:\\([^)]*\\))?|(?:${HELD_IN_LISTS})\\??(?:\\([^)]*\\))?\\[\\d*\\])(?:\\([^)]*\\))?$`,
);

/** Why an operator has no counterpart: the types of its required arguments that JavaScript cannot give. */
function unknownTypes(schema: string): string[] {
  const list = schema.slice(schema.indexOf('(') + 1, schema.lastIndexOf(') ->'));
  return list
    .split(/, (?![^([]*[)\]])/)
    .filter((argument) => argument !== '' && argument !== '*' && !argument.includes('='))
    .map((argument) => argument.replace(/ \w+$/, ''))
    .filter((type) => !type.endsWith('?') && !KNOWN.test(type));
}

test('every operator is found by its camelCase name, unless it asks for what JavaScript has not', () => {
  const schemas = operatorSchemas();
  assert.ok(schemas.length > 2500, `${schemas.length} schemas`);
  const exceptions = new Set<string>();
  for (const schema of schemas) {
    const [, name, overload = ''] = /^aten::(\w+)(?:\.(\w+))?\(/.exec(schema)!;
    const found = hasOp(`${camelCase(name!)}.${overload}`);
    const unknown = unknownTypes(schema);
    assert.equal(found, unknown.length === 0, schema);
    for (const type of unknown) exceptions.add(type.replace(/\(.*?\)|\[.*/g, ''));
  }
  // Dimension names, raw storages, CUDA streams as objects, and quantised cells' parameters.
  const expected = ['str', 'Storage', 'Stream', '__torch__.torch.classes.rnn.CellParamsBase'];
  assert.deepEqual(
    [...exceptions].filter((type) => !expected.includes(type)),
    [],
  );
});

test('a name that libtorch does not have is refused by ops, and absent as a method', () => {
  assert.equal(hasOp('noSuchOperator'), false);
  assert.equal('noSuchOperator' in ops, false);
  const message = /libtorch .* has no operator 'noSuchOperator'/;
  assert.throws(() => op('noSuchOperator'), { name: 'TorchError', code: 'NO_OPERATOR', message });
  assert.throws(() => (ops as unknown as Record<string, unknown>).noSuchOperator, { message });
  assert.equal((tensor([1]) as unknown as Record<string, unknown>).noSuchOperator, undefined);
  assert.equal(hasOp('add.noSuchOverload'), false);
});

test('every operator on self is a method; a method is found once', () => {
  const x = tensor([1, 2]);
  assert.equal(x.logSoftmax, tensor([3]).logSoftmax);
  assert.ok(Object.hasOwn(Tensor.prototype, 'logSoftmax'));
  assert.equal(Object.keys(x).includes('logSoftmax'), false);
});

test('a tensor is no thenable and is not asked for JSON', async () => {
  const x = tensor([1]);
  assert.equal(await x, x);
});

test('the typings are what scripts/generate-operators.mjs writes', (t) => {
  const { libtorch } = buildInfo();
  const text = generate(operatorSchemas());
  assert.match(text, /export interface Operators \{[\s\S]* {2}conv2d\(input: Tensor, weight: Tensor/);
  if (!libtorch.startsWith('1.13')) return t.skip(`they are those of libtorch 1.13, this is ${libtorch}`);
  assert.equal(readFileSync(target, 'utf8'), text, 'run: node scripts/generate-operators.mjs');
});
