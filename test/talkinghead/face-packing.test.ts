// The script that packs models/face-ict: how it reads ICT-FaceKit's repository, and its arithmetic.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DatasetSource } from 'headrace/vision';
import { realData, scratch } from '../media/support.js';

interface Shape {
  readonly name: string;
  readonly delta: Float64Array;
}
interface Source {
  readonly neutral: Float32Array;
  readonly triangles: Uint32Array;
  readonly uv: Float32Array;
  readonly identity: readonly Shape[];
  readonly expression: readonly Shape[];
  readonly licence: string;
}
const script = (name: string): string => new URL(`../../../scripts/face-model/${name}.mjs`, import.meta.url).href;
const { readSource, vertexCount } = (await import(script('source'))) as {
  readSource(folder: string): Source;
  vertexCount: number;
};
const { mirrorPairs } = (await import(script('mirror'))) as {
  mirrorPairs(faces: Float32Array[], part: (vertex: number) => string, vertices: number[]): Map<number, number>;
};
const { principal } = (await import(script('shapes'))) as {
  principal(shapes: readonly Float64Array[]): { basis: number[][]; variance: number[] };
};
const at = scratch();
const kit = realData('ictface');

test("the repository's files are read: polygons as fans, texture coordinates by corner, shapes by difference", () => {
  const position = (i: number): number[] => [i / 8, -i / 16, (i % 7) / 4];
  const lines = (shift: number): string =>
    Array.from(
      { length: vertexCount },
      (_, i) =>
        `v ${position(i)
          .map((v) => v + (i === 5 ? shift : 0))
          .join(' ')}`,
    ).join('\n');
  mkdirSync(at('kit/FaceXModel'), { recursive: true });
  const write = (name: string, text: string): void => writeFileSync(at(`kit/${name}`), text);
  const faces = 'vt 0.25 0.5\nvt 0.75 1.5\nvn 0 0 1\nf 1/1/1 2/2/1 3/1/1 6/2/1\nf 2/1/1 3/1/1 4/1/1\n';
  write('FaceXModel/generic_neutral_mesh.obj', `mtllib a.mtl\n${lines(0)}\n${faces}`);
  write('FaceXModel/identity000.obj', `${lines(0.5)}\n`);
  write('FaceXModel/jawOpen.obj', `${lines(-0.25)}\n`);
  write('FaceXModel/PupilDilate_L.obj', `${lines(2)}\n`);
  write('LICENSE', 'MIT');
  const source = readSource(at('kit'));
  assert.deepEqual([...source.neutral.subarray(30, 33)], position(10));
  assert.deepEqual([...source.triangles], [0, 1, 2, 0, 2, 5, 1, 2, 3]);
  assert.deepEqual([...source.uv.subarray(0, 12)], [0.25, 0.5, 0.75, 1.5, 0.25, 0.5, 0.25, 0.5, 0, 0, 0.75, 1.5]);
  assert.deepEqual(
    [source.identity, source.expression].map((list) => list.map(({ name }) => name)),
    [['identity000'], ['PupilDilate_L', 'jawOpen']],
  );
  assert.deepEqual([...source.expression[1]!.delta.subarray(12, 21)], [0, 0, 0, -0.25, -0.25, -0.25, 0, 0, 0]);
  assert.equal(source.licence, 'MIT');
  write('FaceXModel/identity001.obj', 'v 0 0 0\n');
  assert.throws(() => readSource(at('kit')), /expected ICT-FaceKit's 26719 vertices in identity001\.obj, got 1/);
  assert.throws(() => readSource(at('nowhere')), /expected ICT-FaceKit in .*nowhere: FaceXModel/);
});

test('mirror images are paired one to one, also where two vertices are nearest to the same one', () => {
  // Three at the left, x = 1, 1.1, 5, three at the right, x = -1.05, -1.06, -5, and one on the middle.
  const x = [1, 1.1, 5, -1.05, -1.06, -5, 0];
  const face = Float32Array.from(x.flatMap((value) => [value, 0, 0]));
  const pairs = mirrorPairs([face], () => 'all', [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 6].map((i) => pairs.get(i)),
    [3, 4, 5, 0, 1, 2, 6],
  );
  const sided = mirrorPairs(
    [face],
    (i) => (x[i]! > 0 ? 'eyeLeft' : x[i]! < 0 ? 'eyeRight' : 'nose'),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.equal(sided.get(5), 2);
});

test('principal shapes: orthogonal mixtures, largest first', () => {
  // Two equal shapes and one at right angles to them: the inner products are [[4, 4, 0], [4, 4, 0], [0, 0, 1]].
  const { basis, variance } = principal([Float64Array.of(2, 0), Float64Array.of(2, 0), Float64Array.of(0, 1)]);
  const half = Math.SQRT1_2;
  for (const [k, expected] of [
    [half, half, 0],
    [0, 0, 1],
  ].entries())
    for (const [i, value] of expected.entries()) assert.ok(Math.abs(basis[k]![i]! - value) < 1e-12);
  for (const [k, expected] of [8, 1, 0].entries()) assert.ok(Math.abs(variance[k]! - expected) < 1e-12);
});

test('the files that are fetched are told from others by what they hold', { skip: kit.skip }, async () => {
  const { ictExpressions, ictFaceKit } = (await import(
    new URL('../../../dist/cli/ict-facekit.js', import.meta.url).href
  )) as { ictExpressions: readonly string[]; ictFaceKit: DatasetSource };
  const { expression } = JSON.parse(readFileSync(join(kit.path, 'meta.json'), 'utf8')) as {
    expression: { names: string[] };
  };
  assert.deepEqual([...ictExpressions].sort(), expression.names.sort());
  assert.equal(ictFaceKit.files.length, 2 + 100 + 57);
  const check = (name: string): ((path: string) => void) =>
    ictFaceKit.files.find(({ file }) => file.endsWith(name))!.check!;
  const { buffer, byteOffset, length } = readFileSync(join(kit.path, 'neutral.f32'));
  const neutral = new Float32Array(buffer.slice(byteOffset, byteOffset + length));
  const obj = (values: ArrayLike<number>): string =>
    Array.from({ length: vertexCount }, (_, i) => `v ${[0, 1, 2].map((k) => values[3 * i + k]).join(' ')}`).join('\n');
  writeFileSync(at('mean.obj'), `# a comment\r\nmtllib a.mtl\n${obj(neutral)}\nvt 0 0\nf 1 2 3\n`);
  check('generic_neutral_mesh.obj')(at('mean.obj'));
  check('jawOpen.obj')(at('mean.obj'));
  neutral[7]! += 0.001;
  writeFileSync(at('other.obj'), obj(neutral));
  assert.throws(() => check('generic_neutral_mesh.obj')(at('other.obj')), /other\.obj: expected SHA-256 92e87293/);
  copyFileSync(join(kit.path, 'LICENSE'), at('page.html'));
  check('LICENSE')(at('page.html'));
  assert.throws(() => check('identity099.obj')(at('page.html')), /26719 vertices, got 0/);
});
