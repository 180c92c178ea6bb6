// Which vertex is which one's mirror image: the mesh is symmetric in its build, and nearly so in its numbers.

/**
 * Pairs vertices with those nearest to their mirror images, nearest pairs first; so the result is its own inverse.
 * @param {readonly Float32Array[]} faces the same vertices in several symmetric positions, which tell lips that touch apart
 * @param {(vertex: number) => string} part mirrored vertices lie in mirrored parts
 * @param {readonly number[]} vertices
 * @returns {Map<number, number>}
 */
export function mirrorPairs(faces, part, vertices) {
  const pairs = new Map();
  for (let left = vertices; left.length > 0; left = left.filter((vertex) => !pairs.has(vertex))) {
    const groups = groupBy(left, part);
    for (const [name, group] of groups) {
      const other = groups.get(opposite(name)) ?? [];
      if (other.length !== group.length)
        throw new Error(`${name} has ${group.length} vertices, ${opposite(name)} ${other.length}`);
      pairNearest(faces, group, other, pairs);
    }
  }
  return pairs;
}

/** One round: where several have the same nearest one, the others are left for the next. */
function pairNearest(faces, group, other, pairs) {
  const candidates = group.flatMap((i) => nearest(faces, i, other, 12));
  candidates.sort((a, b) => a.distance - b.distance || a.i - b.i || a.j - b.j);
  for (const { i, j } of candidates) {
    if (pairs.has(i) || pairs.has(j)) continue;
    pairs.set(i, j);
    pairs.set(j, i);
  }
}

function groupBy(values, key) {
  const groups = new Map();
  for (const value of values) {
    const name = key(value);
    const group = groups.get(name);
    if (group) group.push(value);
    else groups.set(name, [value]);
  }
  return groups;
}

const opposite = (name) =>
  name.endsWith('Left') ? `${name.slice(0, -4)}Right` : name.endsWith('Right') ? `${name.slice(0, -5)}Left` : name;

/** The `count` of `others` nearest to the mirror image of `i`; the distance is the same seen from the other. */
function nearest(faces, i, others, count) {
  const best = [];
  for (const j of others) {
    let distance = 0;
    for (const face of faces) {
      distance +=
        (face[3 * i] + face[3 * j]) ** 2 +
        (face[3 * i + 1] - face[3 * j + 1]) ** 2 +
        (face[3 * i + 2] - face[3 * j + 2]) ** 2;
    }
    if (best.length === count && distance >= best[count - 1].distance) continue;
    best.push({ i, j, distance });
    best.sort((a, b) => a.distance - b.distance);
    if (best.length > count) best.pop();
  }
  return best;
}
