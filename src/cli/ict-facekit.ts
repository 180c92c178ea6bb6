/** ICT-FaceKit as its repository has it: the files from which `scripts/face-model.mjs` makes Headrace's face. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { DataError } from '../torch/errors.js';
import type { DatasetSource } from '../vision/index.js';

/** The state of the repository whose numbers the shipped face has: earlier ones have their vertices in another order. */
const commit = '1922d84282a3faf345dbf949c4a63b09f87907bc';

const vertices = 26719;

/** SHA-256 of the mean face's coordinates as float32, and of the licence. The repository publishes no sums of its files. */
const sums = {
  neutral: '92e87293b7e3c5bf2c013b94f15c0cf06f429cf046df6edfbfb719f77dd76781',
  licence: 'b20a78d8fc51657e14f3e00c8abb538d786ad00aa63210328c22565e583167e1',
} as const;

const oneSided = ['jawForward', 'jawLeft', 'jawOpen', 'jawRight', 'mouthClose', 'mouthFunnel', 'mouthLeft'];
const alsoOneSided = ['mouthPucker', 'mouthRight', 'mouthRollLower', 'mouthRollUpper', 'mouthShrugLower'];
const twoSided = ['PupilDilate', 'browDown', 'browInnerUp', 'browOuterUp', 'cheekPuff', 'cheekRaiser', 'cheekSquint'];
const eyes = ['eyeBlink', 'eyeLookDown', 'eyeLookIn', 'eyeLookOut', 'eyeLookUp', 'eyeSquint', 'eyeWide'];
const mouth = ['mouthDimple', 'mouthFrown', 'mouthLowerDown', 'mouthPress', 'mouthSmile', 'mouthStretch'];

/** Names of the 57 shapes of expressions. */
export const ictExpressions: readonly string[] = [
  ...[...oneSided, ...alsoOneSided, 'mouthShrugUpper'],
  ...[...twoSided, ...eyes, ...mouth, 'mouthUpperUp', 'noseSneer'].flatMap((name) => [`${name}_L`, `${name}_R`]),
];

const identities = Array.from({ length: 100 }, (_, k) => `identity${String(k).padStart(3, '0')}`);
const mesh = (name: string): string => `FaceXModel/${name}.obj`;

export const ictFaceKit: DatasetSource = {
  baseUrl: `https://raw.githubusercontent.com/ICT-VGL/ICT-FaceKit/${commit}/`,
  files: [
    { file: 'LICENSE', check: (path) => expectSum(path, readFileSync(path), sums.licence) },
    { file: mesh('generic_neutral_mesh'), check: (path) => expectSum(path, coordinatesOf(path), sums.neutral) },
    ...[...identities, ...ictExpressions].map((name) => ({ file: mesh(name), check: coordinatesOf })),
  ],
  terms: 'ICT-FaceKit, USC Institute for Creative Technologies 2020; MIT',
};

/** The bytes of a mesh's coordinates as float32. @throws DataError for what is no mesh of this model */
function coordinatesOf(path: string): Uint8Array {
  const numbers = [...readFileSync(path, 'utf8').matchAll(/^v +(\S+) +(\S+) +(\S+)\s*$/gm)].flatMap((line) =>
    line.slice(1).map(Number),
  );
  if (numbers.length !== 3 * vertices || !numbers.every(Number.isFinite))
    throw new DataError(`${path}: expected a mesh of ICT-FaceKit's ${vertices} vertices, got ${numbers.length / 3}`);
  return new Uint8Array(Float32Array.from(numbers).buffer);
}

function expectSum(path: string, bytes: Uint8Array, sum: string): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== sum) throw new DataError(`${path}: expected SHA-256 ${sum} of what it holds, got ${found}`);
}
