/** How far a picture tells two sets of its pixels apart. */

import { mapInto } from '../../../media/map-into.js';
import { ColourModel } from './colour-model.js';
import { distanceTo, smoothstep } from './planes.js';

/**
 * 0 to 1: whether colours alone, learnt from every other pixel on both sides of the border, know the pixels in between, and
 * whether the set is where a person would be.
 * @param person - `[H * W]`, above 0.5 inside
 * @param prior - `[H * W]`: log of the odds of a person by the place alone
 * @param unit - pixels of an eye distance
 */
export function clarity(
  planes: readonly Float32Array[],
  person: Float32Array,
  prior: Float32Array,
  width: number,
  height: number,
  unit: number,
): number {
  const inside = mapInto(new Uint8Array(person.length), person, (value) => (value > 0.5 ? 1 : 0));
  const known = recognised(planes, inside, width, height, unit);
  const headSeen = share(inside, (i) => prior[i]! > 2, 1);
  const spilt = share(inside, (i) => prior[i]! < -2.5, 0);
  return smoothstep(0.65, 0.93, known) * smoothstep(0.6, 0.9, headSeen) * smoothstep(0.6, 0.3, spilt);
}

/** How many of the pixels that fulfil a condition are inside. */
function share(inside: Uint8Array, condition: (i: number) => boolean, ifNone: number): number {
  let [hits, all] = [0, 0];
  for (let i = 0; i < inside.length; i++) {
    if (!condition(i)) continue;
    all++;
    hits += inside[i]!;
  }
  return all === 0 ? ifNone : hits / all;
}

/** Of the pixels near the border, the mean of both sides' shares that colours put on the right side; a half is chance. */
function recognised(
  planes: readonly Float32Array[],
  inside: Uint8Array,
  width: number,
  height: number,
  unit: number,
): number {
  const toInside = distanceTo(inside, width, height);
  const toOutside = distanceTo(
    inside.map((value) => 1 - value),
    width,
    height,
  );
  const near = Array.from(inside.keys()).filter((i) => {
    const away = Math.max(toInside[i]!, toOutside[i]!);
    return away > 1 && away < 0.6 * unit + 2;
  });
  const [learn, test] = [near.filter((_, k) => k % 2 === 0), near.filter((_, k) => k % 2 === 1)];
  const sideOf = (side: number): number[] => learn.filter((i) => inside[i] === side);
  if (sideOf(0).length < 20 || sideOf(1).length < 20) return 0;
  const points = Float32Array.from([...planes[0]!].flatMap((_, i) => planes.map((plane) => plane[i]!)));
  const [behind, own] = [0, 1].map((side) => {
    const members = sideOf(side);
    const chosen = Float32Array.from(members.flatMap((i) => planes.map((plane) => plane[i]!)));
    return ColourModel.fit(chosen, new Float32Array(members.length).fill(1), 3, 4, [9, 9, 9], 8);
  }) as [ColourModel, ColourModel];
  const right = [0, 1].map((side) => {
    const members = test.filter((i) => inside[i] === side);
    const hits = members.filter((i) => own.logDensity(points, i) > behind.logDensity(points, i) === (side === 1));
    return hits.length / members.length;
  });
  return (right[0]! + right[1]!) / 2;
}
