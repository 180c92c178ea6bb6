/** What the rows of the published feature files are, told by their widths. */
import type { FeatureSpec, Modality } from '../../features/specs.js';

/** A published set of features. Sources: the sets' papers and the CMU-MultimodalSDK's issues 172 and 208. */
interface KnownFeatures {
  readonly dataset: string;
  readonly range: readonly [number, number];
  readonly modality: Modality;
  readonly dims: number;
  readonly name: string;
  readonly rate: number | null;
}

const mosi = { dataset: 'CMU-MOSI', range: [-3, 3] } as const;
const mosei = { dataset: 'CMU-MOSEI', range: [-3, 3] } as const;
const sims = { dataset: 'CH-SIMS', range: [-1, 1] } as const;
const sims2 = { dataset: 'CH-SIMS v2', range: [-1, 1] } as const;

const known: readonly KnownFeatures[] = [
  { ...mosi, modality: 'audio', dims: 5, name: 'COVAREP subset: VUV, QOQ, MDQ, MCEP_14, HMPDM_24', rate: null },
  { ...mosi, modality: 'vision', dims: 20, name: 'FACET 4.1 subset', rate: null },
  { ...mosei, modality: 'audio', dims: 74, name: 'COVAREP', rate: null },
  { ...mosei, modality: 'vision', dims: 35, name: 'FACET 4.2', rate: null },
  { ...sims, modality: 'audio', dims: 33, name: 'zero-crossing rate, 20 MFCC, 12 chroma-CQT', rate: 22050 / 512 },
  { ...sims, modality: 'vision', dims: 709, name: 'OpenFace 2', rate: 6 },
  { ...sims2, modality: 'audio', dims: 25, name: 'audio of 25', rate: null },
  { ...sims2, modality: 'vision', dims: 177, name: 'vision of 177', rate: null },
];

/** The published set whose audio and vision features have these widths. */
export function recogniseSet(
  dims: Readonly<Partial<Record<Modality, number>>>,
): { readonly name: string; readonly range: readonly [number, number] } | null {
  const matches = known.filter(({ modality, dims: width }) => dims[modality] === width);
  const name = matches.find(
    ({ dataset }) => matches.filter((other) => other.dataset === dataset).length === 2,
  )?.dataset;
  const found = known.find(({ dataset }) => dataset === name);
  return found === undefined ? null : { name: found.dataset, range: found.range };
}

/**
 * The specification of features from a file. What no one says is called by its width.
 * @param dataset the set's name, where it is known
 * @param aligned one row a word, which leaves no rate
 */
export function specFor(dataset: string | null, modality: Modality, dims: number, aligned: boolean): FeatureSpec {
  const unit = aligned || modality === 'text' ? 'word' : 'frame';
  const found = known.find((item) => item.dataset === dataset && item.modality === modality && item.dims === dims);
  if (found !== undefined)
    return { name: found.name, dims, unit, rate: aligned ? null : found.rate, version: found.dataset };
  if (modality === 'text' && dims === 768)
    return { name: 'BERT base, last layer', dims, unit, rate: null, version: 'unknown' };
  return { name: `${modality} of ${dims}`, dims, unit, rate: null, version: 'unknown' };
}
