// Makes models/face-ict: ICT-FaceKit's face (MIT), as small as it can be without being seen to be so.
//
//   node scripts/face-model.mjs ICT_FACEKIT [OUT] [--identities 80] [--inside 32]
//
// ICT_FACEKIT is a clone of its repository (https://github.com/ICT-VGL/ICT-FaceKit), or a folder of its numbers as plain arrays.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mirrorPairs } from './face-model/mirror.mjs';
import { combine, principal, quantise, safetensors } from './face-model/shapes.mjs';
import { landmarks, readSource, regions, vertexCount } from './face-model/source.mjs';
import { grow, markVisible } from './face-model/visible.mjs';

/** Moves of less than this are left out of an expression, in cm: a hundredth of a millimetre. */
const leastMove = 0.001;
/** From here on the vertices of gums and tongue are the tongue's, but for some at the sides that belong to the throat. */
const firstOfTongue = 16622;
const tongueHalfWidth = 2.05;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { identities: { type: 'string', default: '80' }, inside: { type: 'string', default: '32' } },
});
if (positionals.length < 1 || positionals.length > 2) {
  console.error('usage: node scripts/face-model.mjs ICT_FACEKIT [OUT] [--identities 80] [--inside 32]');
  process.exit(2);
}
const out = positionals[1] ?? fileURLToPath(new URL('../models/face-ict', import.meta.url));
const source = readSource(positionals[0]);
const shapeOf = new Map(source.expression.map(({ name, delta }) => [name, delta]));
const radians = Math.PI / 180;

/** The order of the parts in the file; eyeballs, teeth and skin are wholes. */
const partNames = Object.keys(regions).flatMap((name) => (name === 'gumsAndTongue' ? ['gums', 'tongue'] : [name]));
const regionOf = (vertex) => Object.keys(regions).find((name) => vertex <= regions[name][1]);
const drawn = Array.from({ length: regions.irisRight[1] + 1 }, (_, vertex) => vertex);

/** The face with expressions, one identity, and eyes turned. */
function pose(weights, identity = [], gaze = [0, 0]) {
  const face = Float64Array.from(source.neutral);
  const add = (delta, weight) => {
    for (let i = 0; i < face.length; i++) face[i] += weight * delta[i];
  };
  for (const [name, weight] of Object.entries(weights)) {
    const both = shapeOf.has(name) ? [name] : [`${name}_L`, `${name}_R`];
    for (const each of both) add(shapeOf.get(each), weight);
  }
  for (const [k, weight] of identity.entries()) add(source.identity[k].delta, weight);
  for (const side of ['Left', 'Right']) turnEye(face, side, gaze);
  return Float32Array.from(face);
}

/** The sphere through a sclera's vertices, by least squares: the eye turns about its middle. */
function eyeCentre(face, side) {
  const [first, last] = regions[`sclera${side}`];
  const rows = [];
  for (let v = first; v <= last; v++) rows.push([face[3 * v], face[3 * v + 1], face[3 * v + 2]]);
  const normal = Array.from({ length: 4 }, () => new Array(5).fill(0));
  for (const [x, y, z] of rows) {
    const row = [2 * x, 2 * y, 2 * z, 1, x * x + y * y + z * z];
    for (let i = 0; i < 4; i++) for (let j = 0; j < 5; j++) normal[i][j] += row[i] * row[j];
  }
  return solve(normal).slice(0, 3);
}

function solve(rows) {
  for (let p = 0; p < rows.length; p++) {
    const pivot = rows
      .slice(p)
      .reduce((best, row, k) => (Math.abs(row[p]) > Math.abs(rows[best][p]) ? p + k : best), p);
    [rows[p], rows[pivot]] = [rows[pivot], rows[p]];
    for (let i = 0; i < rows.length; i++) {
      if (i === p) continue;
      const factor = rows[i][p] / rows[p][p];
      for (let j = p; j < rows[i].length; j++) rows[i][j] -= factor * rows[p][j];
    }
  }
  return rows.map((row, i) => row.at(-1) / row[i]);
}

function turnEye(face, side, [yaw, pitch]) {
  const [x0, y0, z0] = eyeCentre(face, side);
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  for (let v = regions[`sclera${side}`][0]; v <= regions[`iris${side}`][1]; v++) {
    const [x, y, z] = [face[3 * v] - x0, face[3 * v + 1] - y0, face[3 * v + 2] - z0];
    const [py, pz] = [cp * y + sp * z, cp * z - sp * y];
    face.set([x0 + cy * x + sy * pz, y0 + py, z0 + cy * pz - sy * x], 3 * v);
  }
}

const wide = { mouthUpperUp: 0.8, mouthLowerDown: 0.8 };
const poses = [
  pose({}),
  pose({ jawOpen: 1 }),
  pose({ jawOpen: 0.7, ...wide, mouthSmile: 0.8 }),
  pose({ jawOpen: 0.3, ...wide, mouthStretch: 1, noseSneer: 1 }),
  pose({ jawOpen: 0.6, mouthFunnel: 0.8, mouthUpperUp: 0.5 }),
  pose({ jawOpen: 1, jawLeft: 1, mouthUpperUp: 1 }),
  pose({ jawOpen: 1, jawRight: 1, mouthUpperUp: 1 }),
  pose({ jawOpen: 0.8 }, [2]),
  pose({ jawOpen: 0.8 }, [-2]),
  pose({ jawOpen: 0.8 }, [0, 2]),
  pose({ jawOpen: 0.8 }, [0, -2]),
  pose({ eyeBlink: 1, mouthPucker: 1 }),
  pose({ eyeWide: 1, eyeLookUp: 1 }, [], [0, 30 * radians]),
  pose({ eyeWide: 1, eyeLookDown: 1 }, [], [0, -35 * radians]),
  pose({ eyeWide: 1 }, [], [35 * radians, 0]),
  pose({ eyeWide: 1 }, [], [-35 * radians, 0]),
];

const symmetric = ['jawOpen', 'mouthPucker', 'mouthRollUpper', 'mouthRollLower'].map((name) => pose({ [name]: 1 }));
const mirror = mirrorPairs([poses[0], ...symmetric], regionOf, drawn);
const inTongue = (vertex) => vertex >= firstOfTongue && Math.abs(source.neutral[3 * vertex]) < tongueHalfWidth;
const parts = drawn.map((vertex) => {
  const region = regionOf(vertex);
  if (region !== 'gumsAndTongue') return region;
  return inTongue(vertex) || inTongue(mirror.get(vertex)) ? 'tongue' : 'gums';
});
const isPart = (vertex, pattern) => pattern.test(parts[vertex] ?? '');

/** The vertices that show, as the file has them: part after part, both sides alike. */
function chooseVertices() {
  const all = source.triangles;
  const trianglesOf = (fits) => {
    const list = [];
    for (let t = 0; t < all.length; t += 3) if (fits(all[t])) list.push(all[t], all[t + 1], all[t + 2]);
    return Uint32Array.from(list);
  };
  const everything = trianglesOf((v) => v < drawn.length);
  const withoutScleras = trianglesOf((v) => v < drawn.length && !isPart(v, /^sclera/)); // their middle is glass
  const seen = new Uint8Array(vertexCount);
  for (const face of poses) {
    for (const yaw of [-60, -40, -20, 0, 20, 40, 60]) {
      for (const pitch of [-25, 0, 25]) {
        const angles = { yaw: yaw * radians, pitch: pitch * radians };
        markVisible(face, everything, angles, seen);
        if (pitch === 0) markVisible(face, withoutScleras, angles, seen, (v) => isPart(v, /^iris/));
      }
    }
  }
  for (const vertex of landmarks) seen[vertex] = 1;
  grow(
    seen,
    trianglesOf((v) => v < drawn.length && !isPart(v, /Teeth|gums|Socket/)),
  );
  for (const vertex of drawn) if (seen[vertex]) seen[mirror.get(vertex)] = 1;
  const kept = partNames.flatMap((name) => drawn.filter((vertex) => seen[vertex] && parts[vertex] === name));
  return { kept, triangles: everything };
}

const { kept, triangles: candidates } = chooseVertices();
const place = new Map(kept.map((vertex, i) => [vertex, i]));

const rank = new Map(partNames.map((name, i) => [name, i]));
const triangles = [];
for (let t = 0; t < candidates.length; t += 3) {
  const corners = [candidates[t], candidates[t + 1], candidates[t + 2]];
  if (corners.every((v) => place.has(v))) triangles.push(corners);
}
/** A triangle between two parts belongs to the later one. */
const rankOf = (corners) => Math.max(...corners.map((v) => rank.get(parts[v])));
triangles.sort((a, b) => rankOf(a) - rankOf(b));

const ranges = Object.fromEntries(
  partNames.map((name) => {
    const range = (list, fits) => [list.findIndex(fits), list.findLastIndex(fits) + 1];
    return [
      name,
      {
        vertices: range(kept, (v) => parts[v] === name),
        triangles: range(triangles, (corners) => partNames[rankOf(corners)] === name),
      },
    ];
  }),
);

const take = (values, width) => kept.flatMap((v) => [...values.subarray(width * v, width * (v + 1))]);
const V = kept.length;
const skin = ranges.headNeck.vertices[1];
const [count, countInside] = [Number(options.identities), Number(options.inside)];
const people = source.identity.map(({ delta }) => Float64Array.from(take(delta, 3)));
const { basis } = principal(people);
const identity = basis.slice(0, count).map((weights) => combine(people, weights));
const onSkin = identity.map((shape) => quantise(shape.subarray(0, 3 * skin)));
/** What is inside of mouth and eyes moves nearly as rigid pieces: the same shapes are sums of few there. */
const within = identity.map((shape) => shape.subarray(3 * skin));
const rigid = principal(within);
const inside = rigid.basis.slice(0, countInside).map((weights) => quantise(combine(within, weights)));

const expression = source.expression.map(({ name, delta }) => {
  const local = Float64Array.from(take(delta, 3));
  const { scale, values } = quantise(local);
  const moved = kept.flatMap((_, i) => (Math.hypot(...local.subarray(3 * i, 3 * i + 3)) >= leastMove ? [i] : []));
  return { name, scale, moved, deltas: moved.flatMap((i) => [...values.subarray(3 * i, 3 * i + 3)]) };
});
const first = [0];
for (const { moved } of expression) first.push(first.at(-1) + moved.length);

const moves = first.at(-1);
const joined = (shapes) => Int16Array.from(shapes.flatMap(({ values }) => [...values]));
/** How much of each inside shape is in each identity shape. */
const mixOf = (rows) => identity.flatMap((_, k) => rows.slice(0, countInside).map((row) => row[k]));
const file = safetensors(
  [
    ['neutral', [V, 3], Float32Array.from(take(source.neutral, 3))],
    ['triangles', [triangles.length, 3], Int16Array.from(triangles.flat(), (v) => place.get(v))],
    ['uv', [V, 2], Float32Array.from(take(source.uv, 2))],
    ['source', [V], Int16Array.from(kept)],
    ['mirror', [V], Int16Array.from(kept, (v) => place.get(mirror.get(v)))],
    ['landmarks', [68], Int16Array.from(landmarks, (v) => place.get(v))],
    ['eyes', [2, 3], Float32Array.from(['Left', 'Right'].flatMap((side) => eyeCentre(source.neutral, side)))],
    ['identity.basis', [count, basis.length], Float32Array.from(basis.slice(0, count).flat())],
    ['identity.skin.scale', [count], Float32Array.from(onSkin, ({ scale }) => scale)],
    ['identity.skin.deltas', [count, skin, 3], joined(onSkin)],
    ['identity.inside.mix', [count, countInside], Float32Array.from(mixOf(rigid.basis))],
    ['identity.inside.scale', [countInside], Float32Array.from(inside, ({ scale }) => scale)],
    ['identity.inside.deltas', [countInside, V - skin, 3], joined(inside)],
    ['expression.scale', [expression.length], Float32Array.from(expression, ({ scale }) => scale)],
    ['expression.first', [first.length], Int32Array.from(first)],
    ['expression.vertices', [moves], Int16Array.from(expression.flatMap(({ moved }) => moved))],
    ['expression.deltas', [moves, 3], Int16Array.from(expression.flatMap(({ deltas }) => deltas))],
  ],
  {
    format: 'headrace-face-1',
    parts: JSON.stringify(ranges),
    expressions: JSON.stringify(expression.map(({ name }) => name)),
    licence: 'MIT, Copyright (c) 2020 USC Institute for Creative Technologies',
  },
);
mkdirSync(out, { recursive: true });
writeFileSync(path.join(out, 'face.safetensors'), file);
writeFileSync(path.join(out, 'LICENSE'), source.licence);

const millimetres = (sum, vertices) => (10 * Math.sqrt(sum / vertices)).toFixed(3);
const left = (values, from) => values.slice(from).reduce((a, b) => a + b, 0);
const components = basis.map((weights) => combine(people, weights));
const squares = (from, to) => components.map((each) => each.subarray(3 * from, 3 * to).reduce((a, b) => a + b * b, 0));
const [skinSquares, insideSquares] = [squares(0, skin), squares(skin, V)];
console.log(`${V} vertices, ${triangles.length} triangles, ${moves} moves of expressions, ${file.length} bytes`);
for (const name of partNames) console.log(`  ${name}: ${ranges[name].vertices[1] - ranges[name].vertices[0]} vertices`);
console.log('RMS distance by which people differ, and that is left out by the first shapes, in mm: skin, inside');
for (const n of [0, 40, 50, 60, 70, 80, 90])
  console.log(`  ${n}: ${millimetres(left(skinSquares, n), skin)}, ${millimetres(left(insideSquares, n), V - skin)}`);
console.log('inside, of what the kept shapes do there, left out by so many shapes of its own:');
for (const n of [8, 16, 24, 32, 40]) console.log(`  ${n}: ${millimetres(left(rigid.variance, n), V - skin)}`);
