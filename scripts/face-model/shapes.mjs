// Shapes made few and small: principal components, whole numbers of 16 bits, a safetensors file.

/**
 * Turns shapes whose coefficients are independent with variance 1 into others of the same distribution, the first of which carry as
 * much of the variance as any so many can: eigenvectors of their inner products.
 * @param {readonly Float64Array[]} shapes
 * @returns {{ basis: number[][], variance: number[] }} shape k of the new ones is the sum of the old ones, each times basis[k][i]
 */
export function principal(shapes) {
  const gram = shapes.map((a) => shapes.map((b) => dot(a, b)));
  const { values, vectors } = eigen(gram);
  const order = values.map((_, k) => k).sort((a, b) => values[b] - values[a]);
  const basis = order.map((k) => {
    const vector = vectors.map((row) => row[k]);
    const largest = vector.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
    return largest < 0 ? vector.map((value) => -value) : vector;
  });
  return { basis, variance: order.map((k) => values[k]) };
}

/** The sum of shapes, each times its weight. */
export function combine(shapes, weights) {
  const sum = new Float64Array(shapes[0].length);
  for (const [i, weight] of weights.entries()) for (let v = 0; v < sum.length; v++) sum[v] += weight * shapes[i][v];
  return sum;
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** Jacobi's method for a symmetric matrix: columns of `vectors` are the eigenvectors. */
function eigen(matrix) {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((_, j) => (i === j ? 1 : 0)));
  const trace = a.reduce((sum, row, i) => sum + row[i], 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p][q] ** 2;
    if (Math.sqrt(off) < 1e-14 * trace) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, p, q);
  }
  return { values: a.map((row, i) => row[i]), vectors };
}

function rotate(a, vectors, p, q) {
  if (a[p][q] === 0) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (const row of [...a, ...vectors]) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  for (let k = 0; k < a.length; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
}

/** A shape as whole numbers times one scale. */
export function quantise(shape) {
  const largest = shape.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scale = Math.fround(largest / 32767) || 1;
  return {
    scale,
    values: Int16Array.from(shape, (value) => Math.max(-32767, Math.min(32767, Math.round(value / scale)))),
  };
}

const names = new Map([
  [Float32Array, 'F32'],
  [Int32Array, 'I32'],
  [Int16Array, 'I16'],
]);

/** A safetensors file: numbers of four bytes first, so that all are aligned. @param {[string, number[], ArrayBufferView][]} tensors */
export function safetensors(tensors, metadata) {
  const sorted = [...tensors].sort((a, b) => b[2].BYTES_PER_ELEMENT - a[2].BYTES_PER_ELEMENT);
  const header = { __metadata__: metadata };
  let at = 0;
  for (const [name, shape, data] of sorted) {
    if (shape.reduce((a, b) => a * b, 1) !== data.length)
      throw new Error(`${name}: ${data.length} numbers for [${shape}]`);
    header[name] = { dtype: names.get(data.constructor), shape, data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.length - 8));
  json.copy(head, 8);
  return Buffer.concat([
    head,
    ...sorted.map(([, , data]) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  ]);
}
