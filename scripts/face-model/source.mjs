// ICT-FaceKit as it is published (FaceXModel/*.obj), or as one folder of plain arrays: meta.json, neutral.f32, tris.u16, uv.f32,
// identity.i16 and expression.i16 (each shape's deltas as int16 times its scale).
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Vertices of the whole model, and what they belong to: the tables of ICT-FaceKit's README. First and last. */
export const vertexCount = 26719;
export const regions = {
  innerFace: [0, 6705],
  outerFace: [6706, 9408],
  headNeck: [9409, 11247],
  mouthSocket: [11248, 13293],
  eyeSocketLeft: [13294, 13677],
  eyeSocketRight: [13678, 14061],
  gumsAndTongue: [14062, 17038],
  upperTeeth: [17039, 19246],
  lowerTeeth: [19247, 21450],
  scleraLeft: [21451, 22220],
  irisLeft: [22221, 23020],
  scleraRight: [23021, 23790],
  irisRight: [23791, 24590],
};

// biome-ignore format: a table
export const landmarks = [
  1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443, 268, 493, 1914, 2044,
  1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511,
  3742, 3751, 3756, 3721, 3725, 3732, 5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533,
  6216, 6207, 6470, 5517, 5966,
];

/**
 * @typedef {{ name: string, delta: Float64Array }} Shape
 * @typedef {{ neutral: Float32Array, triangles: Uint32Array, uv: Float32Array, identity: Shape[], expression: Shape[], licence: string }} Source
 */

/** @param {string} folder @returns {Source} */
export function readSource(folder) {
  if (existsSync(path.join(folder, 'meta.json'))) return readArrays(folder);
  for (const inside of [path.join(folder, 'FaceXModel'), folder]) {
    if (existsSync(path.join(inside, 'generic_neutral_mesh.obj'))) return readObjects(inside, folder);
  }
  throw new Error(
    `expected ICT-FaceKit in ${folder}: FaceXModel/generic_neutral_mesh.obj of its repository, or meta.json`,
  );
}

function readArrays(folder) {
  const bytes = (name) => {
    const file = readFileSync(path.join(folder, name));
    return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
  };
  const meta = JSON.parse(readFileSync(path.join(folder, 'meta.json'), 'utf8'));
  expectCount(meta.nv, folder);
  const shapes = (kind) => {
    const all = new Int16Array(bytes(`${kind}.i16`));
    const { names, scale } = meta[kind];
    if (all.length !== names.length * vertexCount * 3)
      throw new Error(`${kind}.i16 is not whole: ${all.length} numbers`);
    return names.map((name, k) => ({
      name,
      delta: Float64Array.from(all.subarray(k * vertexCount * 3, (k + 1) * vertexCount * 3), (v) => v * scale[k]),
    }));
  };
  return {
    neutral: new Float32Array(bytes('neutral.f32')),
    triangles: Uint32Array.from(new Uint16Array(bytes('tris.u16'))),
    uv: new Float32Array(bytes('uv.f32')),
    identity: shapes('identity'),
    expression: shapes('expression'),
    licence: readFileSync(path.join(folder, 'LICENSE'), 'utf8'),
  };
}

function expectCount(count, where) {
  if (count !== vertexCount)
    throw new Error(`expected ICT-FaceKit's ${vertexCount} vertices in ${where}, got ${count}`);
}

/** The repository's files: `v x y z`, `vt u v`, `f v/vt/vn ...` of three or more corners. */
function readObjects(folder, top) {
  const neutralFile = path.join(folder, 'generic_neutral_mesh.obj');
  const text = readFileSync(neutralFile, 'utf8');
  const neutral = positions(text, neutralFile);
  const others = readdirSync(folder).filter((name) => name.endsWith('.obj') && name !== 'generic_neutral_mesh.obj');
  const shape = (file) => ({
    name: file.slice(0, -4),
    delta: positions(readFileSync(path.join(folder, file), 'utf8'), file).map((value, i) => value - neutral[i]),
  });
  // Plain order of letters, in every locale: PupilDilate comes first.
  const sorted = others.sort((a, b) => (a < b ? -1 : 1));
  return {
    neutral: Float32Array.from(neutral),
    ...facesOf(text),
    identity: sorted.filter((name) => /^identity\d+\.obj$/.test(name)).map(shape),
    expression: sorted.filter((name) => !name.startsWith('identity')).map(shape),
    licence: readFileSync(
      path.join(existsSync(path.join(top, 'LICENSE')) ? top : path.dirname(folder), 'LICENSE'),
      'utf8',
    ),
  };
}

function positions(text, file) {
  const values = [...text.matchAll(/^v +(\S+) +(\S+) +(\S+)/gm)].flatMap((match) => match.slice(1, 4).map(Number));
  expectCount(values.length / 3, file);
  return Float64Array.from(values);
}

/** Triangles (polygons as fans) and one texture coordinate a vertex, the first that it has. */
function facesOf(text) {
  const coordinates = [...text.matchAll(/^vt +(\S+) +(\S+)/gm)].map((match) => [Number(match[1]), Number(match[2])]);
  const uv = new Float32Array(2 * vertexCount);
  const seen = new Uint8Array(vertexCount);
  const triangles = [];
  for (const [, line] of text.matchAll(/^f +(.+)$/gm)) {
    const corners = line
      .trim()
      .split(/\s+/)
      .map((corner) => {
        const [vertex, texture] = corner.split('/').map(Number);
        if (texture && !seen[vertex - 1]) uv.set(coordinates[texture - 1], 2 * (vertex - 1));
        seen[vertex - 1] = 1;
        return vertex - 1;
      });
    for (let k = 2; k < corners.length; k++) triangles.push(corners[0], corners[k - 1], corners[k]);
  }
  return { triangles: Uint32Array.from(triangles), uv };
}
