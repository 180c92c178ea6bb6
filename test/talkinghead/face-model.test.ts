import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type ArkitName,
  arkitMirror,
  arkitNames,
  arkitWeights,
  FaceModel,
  facePieces,
  ictShapes,
  shippedFace,
} from 'headrace/talkinghead';
import { realData, scratch } from '../media/support.js';

const model = FaceModel.load();
const at = scratch();

/** Numbers in [-1, 1), the same on every run. */
function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

const distance = (a: Float32Array, b: Float32Array, i: number, j = i): number =>
  Math.hypot(a[3 * i]! - b[3 * j]!, a[3 * i + 1]! - b[3 * j + 1]!, a[3 * i + 2]! - b[3 * j + 2]!);

const rms = (a: Float32Array, b: Float32Array, [from, end]: readonly [number, number]): number => {
  let sum = 0;
  for (let i = from; i < end; i++) sum += distance(a, b, i) ** 2;
  return Math.sqrt(sum / (end - from));
};

test('the pieces follow one another and hold all vertices and triangles', () => {
  let [vertex, triangle] = [0, 0];
  for (const piece of facePieces) {
    const { vertices, triangles } = model.parts[piece];
    assert.deepEqual([vertices[0], triangles[0]], [vertex, triangle], piece);
    assert.ok(vertices[1] > vertices[0] && triangles[1] > triangles[0], piece);
    assert.ok(model.trianglesOf(piece).every((v) => v < vertices[1]));
    [vertex, triangle] = [vertices[1], triangles[1]];
  }
  assert.deepEqual([3 * vertex, 3 * triangle], [model.vertices.length, model.triangles.length]);
  assert.ok(statSync(shippedFace).size < 10e6);
});

test('triangles run anticlockwise as seen from outside', () => {
  const v = model.vertices;
  const [first, end] = model.parts.innerFace.triangles;
  let [towards, all] = [0, 0];
  for (let t = 3 * first; t < 3 * end; t += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => 3 * model.triangles[t + k]!) as [number, number, number];
    const area = (v[b]! - v[a]!) * (v[c + 1]! - v[a + 1]!) - (v[c]! - v[a]!) * (v[b + 1]! - v[a + 1]!);
    towards += area;
    all += Math.abs(area);
  }
  assert.ok(towards > 0.8 * all, `${towards} of ${all}`);
});

test('the mirror permutation is its own inverse, keeps the parts, and maps the mean face onto its mirror image', () => {
  let worst = 0;
  for (let i = 0; i < model.vertexCount; i++) {
    const j = model.mirror[i]!;
    assert.equal(model.mirror[j], i);
    const image = Float32Array.of(-model.vertices[3 * j]!, model.vertices[3 * j + 1]!, model.vertices[3 * j + 2]!);
    worst = Math.max(worst, distance(model.vertices, image, i, 0));
  }
  assert.ok(worst < 0.03, `${worst} cm`);
  for (const piece of facePieces) {
    const other = piece.replace(/Left|Right/, (side) => (side === 'Left' ? 'Right' : 'Left')) as typeof piece;
    const [first, end] = model.parts[other].vertices;
    for (let i = model.parts[piece].vertices[0]; i < model.parts[piece].vertices[1]; i++)
      assert.ok(model.mirror[i]! >= first && model.mirror[i]! < end, piece);
  }
  // The left corner of the left eye is landmark 45, that of the right one 36; the chin is its own image.
  for (const [a, b] of [
    [45, 36],
    [48, 54],
    [17, 26],
    [0, 16],
    [8, 8],
    [62, 62],
  ] as const)
    assert.equal(model.mirror[model.landmarks[a]!], model.landmarks[b]);
});

test('a mirrored expression is the mirror image of the expression', () => {
  for (const name of arkitNames) {
    const face = model.shape({ weights: arkitWeights({ [name]: 1 }) });
    const twin = model.shape({ weights: arkitWeights({ [arkitNames[arkitMirror[arkitNames.indexOf(name)]!]!]: 1 }) });
    let sum = 0;
    for (let i = 0; i < model.vertexCount; i++) {
      const j = model.mirror[i]!;
      sum += distance(face, Float32Array.of(-twin[3 * j]!, twin[3 * j + 1]!, twin[3 * j + 2]!), i, 0) ** 2;
    }
    assert.ok(Math.sqrt(sum / model.vertexCount) < 0.03, `${name}: ${Math.sqrt(sum / model.vertexCount)} cm`);
  }
});

test("the names are ARKit's, in Apple's order", () => {
  assert.equal(arkitNames.length, 52);
  assert.equal(new Set(arkitNames).size, 52);
  const places: [ArkitName, number][] = [
    ['eyeBlinkLeft', 0],
    ['eyeWideLeft', 6],
    ['eyeBlinkRight', 7],
    ['jawForward', 14],
    ['jawLeft', 15],
    ['jawRight', 16],
    ['jawOpen', 17],
    ['mouthClose', 18],
    ['mouthLeft', 21],
    ['mouthSmileLeft', 23],
    ['mouthRollLower', 31],
    ['mouthPressLeft', 35],
    ['browDownLeft', 41],
    ['browInnerUp', 43],
    ['cheekPuff', 46],
    ['noseSneerRight', 50],
    ['tongueOut', 51],
  ];
  for (const [name, place] of places) assert.equal(arkitNames[place], name);
});

test('every shape of ICT-FaceKit is driven but those that ARKit has not, and none twice', () => {
  const driven = arkitNames.flatMap((name) => ictShapes[name]);
  assert.equal(new Set(driven).size, driven.length);
  const left = model.expression.names.filter((name) => !driven.includes(name));
  assert.deepEqual(left, ['PupilDilate_L', 'PupilDilate_R', 'cheekRaiser_L', 'cheekRaiser_R']);
  assert.deepEqual(
    driven.filter((name) => !model.expression.names.includes(name)),
    [],
  );
});

test('jawOpen opens the lips, mouthClose closes them again, eyeBlink closes the lids, a smile widens the mouth', () => {
  const between = (weights: Partial<Record<ArkitName, number>>, a: number, b: number): number => {
    const face = model.shape({ weights: arkitWeights(weights) });
    return distance(face, face, model.landmarks[a]!, model.landmarks[b]!);
  };
  assert.ok(between({}, 62, 66) < 0.2);
  assert.ok(between({ jawOpen: 1 }, 62, 66) > 2);
  assert.ok(between({ jawOpen: 1, mouthClose: 1 }, 62, 66) < 0.8);
  assert.ok(between({ eyeBlinkLeft: 1 }, 43, 47) < 0.5 * between({}, 43, 47));
  assert.ok(between({ eyeBlinkLeft: 1 }, 37, 41) > 0.99 * between({}, 37, 41), 'the other eye stays open');
  assert.ok(between({ mouthSmileLeft: 1, mouthSmileRight: 1 }, 48, 54) > between({}, 48, 54) + 0.5);
});

test('each left weight moves the left of the face more than the right', () => {
  for (const name of arkitNames.filter(
    (each) => /.(Left|Right)$/.test(each) && !/^(jaw|mouth)(Left|Right)$/.test(each),
  )) {
    const face = model.shape({ weights: arkitWeights({ [name]: 1 }) });
    let [left, right] = [0, 0];
    for (let i = 0; i < model.parts.skin.vertices[1]; i++) {
      if (model.vertices[3 * i]! > 0) left += distance(face, model.vertices, i);
      else right += distance(face, model.vertices, i);
    }
    assert.ok(name.endsWith('Left') ? left > 2 * right : right > 2 * left, `${name}: ${left}, ${right}`);
  }
  for (const [name, sign] of [
    ['jawLeft', 1],
    ['jawRight', -1],
    ['mouthLeft', 1],
    ['mouthRight', -1],
  ] as const) {
    const face = model.shape({ weights: arkitWeights({ [name]: 1 }) });
    const lip = 3 * model.landmarks[57]!;
    assert.ok(sign * (face[lip]! - model.vertices[lip]!) > 0.3, name);
  }
});

test('eyeballs turn as wholes where the weights look, or where gaze says', () => {
  const middle = (face: Float32Array, part: 'irisLeft' | 'irisRight'): [number, number] => {
    const [first, end] = model.parts[part].vertices;
    const sum = [0, 0];
    for (let i = first; i < end; i++) for (const k of [0, 1]) sum[k]! += face[3 * i + k]! / (end - first);
    return sum as [number, number];
  };
  const rest = model.shape();
  const moved = (options: Parameters<FaceModel['shape']>[0], part: 'irisLeft' | 'irisRight'): [number, number] => {
    const [a, b] = [middle(model.shape(options), part), middle(rest, part)];
    return [a[0] - b[0], a[1] - b[1]];
  };
  const inwards = { weights: arkitWeights({ eyeLookInLeft: 1 }) };
  assert.ok(moved(inwards, 'irisLeft')[0] < -0.3, 'towards the nose');
  assert.deepEqual(moved(inwards, 'irisRight'), [0, 0]);
  assert.ok(moved({ weights: arkitWeights({ eyeLookInRight: 1 }) }, 'irisRight')[0] > 0.3);
  assert.ok(moved({ weights: arkitWeights({ eyeLookUpLeft: 1 }) }, 'irisLeft')[1] > 0.2);
  assert.ok(moved({ gaze: { yaw: 20, pitch: 0 } }, 'irisRight')[0] > 0.2, "to the viewer's right");
  const turned = model.shape({ gaze: { yaw: 25, pitch: -15 } });
  const [first, end] = model.parts.eyeballLeft.vertices;
  for (let i = first; i + 200 < end; i += 97)
    assert.ok(Math.abs(distance(turned, turned, i, i + 200) - distance(rest, rest, i, i + 200)) < 1e-5);
});

test('frames of one person are the same whether the person is new or kept', () => {
  const identity = numbers(model.identity.count, 5);
  const weights = numbers(52, 6).map(Math.abs);
  const first = model.shape({ identity, weights });
  const into = new Float32Array(first.length);
  assert.equal(model.shape({ identity, weights, into }), into);
  assert.deepEqual(into, first);
  model.shape();
  assert.deepEqual(model.shape({ identity, weights }), first);
  const rest = model.shape({ identity });
  model.shape({ identity: [1] });
  assert.deepEqual(model.shape({ rest, weights }), first);
  assert.throws(() => model.shape({ rest, identity }), /either identity or rest/);
  assert.throws(() => model.shape({ rest: rest.subarray(1) }), /rest of 53226 numbers, got 53225/);
  identity[79]! += 1;
  assert.notDeepEqual(model.shape({ identity, weights }), first);
});

test('what cannot be meant is refused', () => {
  assert.throws(() => model.shape({ weights: new Float32Array(51) }), /expected weights of 52 numbers, got 51/);
  assert.throws(() => model.shape({ weights: new Float32Array(52).fill(Number.NaN) }), /finite numbers, got NaN at 0/);
  assert.throws(() => model.shape({ identity: new Float32Array(101) }), /identity of at most 80 numbers, got 101/);
  assert.throws(() => model.shape({ into: new Float32Array(3) }), /expected into of \d+ numbers, got 3/);
  assert.throws(() => model.shape({ weigths: [] } as object), /Did you mean weights/);
  assert.throws(() => arkitWeights({ jawopened: 1 } as object), /Did you mean jawOpen/);
  assert.throws(() => FaceModel.load(at('none.safetensors')), /Cannot open .*none\.safetensors/);
  const bytes = readFileSync(shippedFace);
  writeFileSync(at('short.safetensors'), bytes.subarray(0, 100_000));
  assert.throws(() => FaceModel.load(at('short.safetensors')), /short\.safetensors is cut short/);
});

const ict = realData('ictface');

/** ICT-FaceKit as it stands, at the vertices that the model has: all in double precision. */
function wholeModel(): (identity: ArrayLike<number>, expression: Readonly<Record<string, number>>) => Float32Array {
  const file = (name: string): ArrayBuffer => Uint8Array.from(readFileSync(join(ict.path, name))).buffer;
  const meta = JSON.parse(Buffer.from(file('meta.json')).toString('utf8')) as {
    nv: number;
    identity: { names: string[]; scale: number[] };
    expression: { names: string[]; scale: number[] };
  };
  const neutral = new Float32Array(file('neutral.f32'));
  const people = new Int16Array(file('identity.i16'));
  const expressions = new Int16Array(file('expression.i16'));
  return (identity, expression) => {
    const face = Float64Array.from(neutral);
    const add = (deltas: Int16Array, k: number, weight: number): void => {
      for (let i = 0; i < face.length; i++) face[i]! += weight * deltas[k * 3 * meta.nv + i]!;
    };
    for (let k = 0; k < identity.length; k++) add(people, k, identity[k]! * meta.identity.scale[k]!);
    for (const [name, weight] of Object.entries(expression)) {
      const k = meta.expression.names.indexOf(name);
      add(expressions, k, weight * meta.expression.scale[k]!);
    }
    return Float32Array.from(model.vertices, (_, i) => face[3 * model.source[Math.floor(i / 3)]! + (i % 3)]!);
  };
}

test('the whole of ICT-FaceKit gives the same expressions, and the same people but for half a millimetre', {
  skip: ict.skip,
}, () => {
  const whole = wholeModel();
  const { skin } = model.parts;
  const everything: readonly [number, number] = [0, model.vertexCount];
  for (const seed of [1, 2, 3]) {
    const weights = numbers(52, seed).map(Math.abs);
    for (const [i, name] of arkitNames.entries()) if (name.startsWith('eyeLook')) weights[i] = 0;
    const shapes = arkitNames.flatMap((name, i) => ictShapes[name].map((shape) => [shape, weights[i]!] as const));
    const expected = whole([], Object.fromEntries(shapes));
    const face = model.shape({ weights });
    for (let i = 0; i < model.vertexCount; i++)
      assert.ok(distance(face, expected, i) < 0.02, `vertex ${i}: ${distance(face, expected, i)} cm`);
    // Coefficients of variance 1: uniform ones times the square root of 3.
    const person = numbers(100, 10 + seed).map((value) => value * Math.sqrt(3));
    const known = whole(person, {});
    const close = model.shape({ identity: model.identityFrom(person) });
    assert.ok(rms(close, known, skin.vertices) < 0.06, `${rms(close, known, skin.vertices)} cm on the skin`);
    assert.ok(rms(close, known, everything) < 0.06, `${rms(close, known, everything)} cm in all`);
    assert.ok(rms(model.vertices, known, skin.vertices) > 0.4, 'and the person is another');
  }
});

test('a person within reach of the shapes is met to a hundredth of a millimetre', { skip: ict.skip }, () => {
  const coefficients = numbers(model.identity.count, 77);
  const { basis, count } = model.identity;
  const person = Float64Array.from({ length: 100 }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += basis[k * 100 + i]! * coefficients[k]!;
    return sum;
  });
  const back = model.identityFrom(person);
  for (let k = 0; k < count; k++) assert.ok(Math.abs(back[k]! - coefficients[k]!) < 1e-5);
  const [face, expected] = [model.shape({ identity: coefficients }), wholeModel()(person, {})];
  for (let i = 0; i < model.parts.skin.vertices[1]; i++) assert.ok(distance(face, expected, i) < 1e-3);
});
