/** Word vectors as the beginning of the vectors of word pieces. */
import type { Parameter } from '../../nn/index.js';
import { WordVectors } from '../../text/word-vectors.js';
import { DataError, Generator, noGrad, ops, tensor } from '../../torch/index.js';

export interface VectorsFrom {
  /** `words.txt` and `vectors.f32`. */
  readonly folder: string;
  /** The vocabulary of word pieces, by their ids. */
  readonly tokens: readonly string[];
}

/**
 * Gives the rows of tokens that are words the words' vectors, through a random map to the width, which keeps angles; all rows
 * together keep the spread of initial values.
 */
export function beginWith({ folder, tokens }: VectorsFrom): (weight: Parameter) => void {
  const known = WordVectors.open(folder);
  const places = tokens.map((token) => known.index(token));
  const rows = places.flatMap((place, row) => (place === null ? [] : [row]));
  if (rows.length === 0) throw new DataError(`Expected word vectors of tokens of the vocabulary, ${folder} has none`);
  return (weight) =>
    noGrad(() => {
      const width = weight.shape[1]!;
      const values = known.tensor().indexSelect(
        0,
        tensor(
          places.filter((place) => place !== null),
          { dtype: 'int64' },
        ),
      );
      const map = ops.randn([known.dims, width], { generator: new Generator(7) });
      const made = values.sub(values.mean(0)).matmul(map);
      const index = tensor(rows, { dtype: 'int64' }).unsqueeze(1).expand([-1, width]);
      weight.scatter_(0, index, made.mul(0.02 / made.std().item()));
    });
}
