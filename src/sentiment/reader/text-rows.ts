/** Texts as rows of features: what a reader makes of them before it says anything. */
import type { Layers } from '../../pipeline/index.js';
import { ConfigError, noGrad, scope, type Tensor, tensor } from '../../torch/index.js';
import { ReaderHeads } from './reader-model.js';

/** Pieces of texts that are read together. */
const BATCH = 64;

function headsOf(model: Layers): ReaderHeads {
  const heads = [...model.named()].at(-1)?.[1];
  if (heads instanceof ReaderHeads) return heads;
  throw new ConfigError('Expected a reader whose last layer are its heads');
}

/** Of the wider one: the vector of a text, or the encoder's rows. */
export function widthOf(model: Layers): number {
  const { dense, pool } = headsOf(model);
  return Math.max(dense.outFeatures, pool.width);
}

/** @param cuts - the pieces of each text, each a row of ids */
export function rowsOf(model: Layers, cuts: readonly (readonly number[][])[]): Float32Array[] {
  const width = widthOf(model);
  const made = cuts.map((pieces) => {
    const count = pieces.reduce((sum, ids) => sum + ids.length, 0);
    return new Float32Array(count === 0 ? 0 : (1 + count) * width);
  });
  const places = cuts.flatMap((pieces, of) => {
    let row = 1;
    return pieces.map((ids) => {
      const place = { of, ids, row };
      row += ids.length;
      return place;
    });
  });
  places.sort((a, b) => a.ids.length - b.ids.length);
  for (let from = 0; from < places.length; from += BATCH) {
    const batch = places.slice(from, from + BATCH);
    const length = batch.at(-1)!.ids.length;
    const ids = batch.flatMap(({ ids: own }) => [...own, ...new Array<number>(length - own.length).fill(0)]);
    scope(() =>
      noGrad(() => {
        const { vectors, rows } = read(model, tensor(ids, { shape: [batch.length, length], dtype: 'int64' }));
        const [found, each] = [vectors.data() as Float32Array, rows.contiguous().data() as Float32Array];
        const [hidden, narrow] = [vectors.shape[1]!, rows.shape[2]!];
        for (const [b, { of, ids: own, row }] of batch.entries()) {
          const into = made[of]!;
          // The vector of a text in several pieces is their mean by length.
          const share = own.length / (into.length / width - 1);
          for (let i = 0; i < hidden; i++) into[i]! += found[b * hidden + i]! * share;
          for (let i = 0; i < own.length; i++) {
            const at = (b * length + i) * narrow;
            into.set(each.subarray(at, at + narrow), (row + i) * width);
          }
        }
      }),
    );
  }
  return made;
}

function read(model: Layers, tokens: Tensor): { readonly vectors: Tensor; readonly rows: Tensor } {
  const layers = [...model.named()].map(([, layer]) => layer);
  const heads = headsOf(model);
  let given: Tensor[] = [tokens];
  for (const layer of layers.slice(0, -1)) given = layer.forward(...given) as Tensor[];
  const [rows, mask, pieces] = given as [Tensor, Tensor, Tensor];
  return { vectors: heads.vector(rows, mask, pieces), rows: rows.to({ dtype: 'float32' }) };
}
