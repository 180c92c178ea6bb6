/** The features of a data set whose clips lie beside its labels. */

import { PackedSequences, type SequenceFeatures } from '../../features/sequences.js';
import type { FeatureSpecs, Modality } from '../../features/specs.js';
import { factOf } from '../../media/truncated.js';
import { HeadraceError } from '../../torch/errors.js';
import { SentimentData, type Utterance } from '../datasets/index.js';
import type { ClipFeatures, UtteranceInput } from '../predict.js';
import { ClipReader } from './clip.js';

/** A clip without features, and why. */
export interface FailedClip {
  readonly id: string;
  readonly error: string;
}

export interface ExtractedData {
  /** Those utterances whose clips could be read, each a clip of its own. */
  readonly data: SentimentData;
  readonly failed: readonly FailedClip[];
}

/**
 * Reads the clip (`media`) of every utterance, as `ClipReader` does for a clip to predict. What cannot be read is left out and told.
 * @param onClip - after each clip: its place, and its notes or error
 */
export async function extractDataset(
  given: SentimentData,
  wanted: FeatureSpecs,
  onClip?: (index: number, remarks: readonly string[]) => void,
): Promise<ExtractedData> {
  const reader = new ClipReader(wanted);
  const utterances: Utterance[] = [];
  const features: ClipFeatures[] = [];
  const failed: FailedClip[] = [];
  for (const [i, item] of given.utterances.entries()) {
    const fail = (error: string): void => {
      failed.push({ id: item.id, error });
      onClip?.(i, [error]);
    };
    if (item.media === null) {
      fail(`no clip of '${item.id}' in the folder's Raw`);
      continue;
    }
    try {
      const clip = await reader.read(item.media, { transcript: item.text ?? '' });
      const { start = null, end = null } = clip.utterances[0] as UtteranceInput;
      utterances.push({ ...item, start, end });
      features.push(clip.features);
      onClip?.(i, clip.notes);
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      fail(factOf(error));
    }
  }
  const data = new SentimentData({ ...given, utterances, features: join(wanted, features), tokens: null });
  return { data, failed };
}

/** One sequence of all clips' first utterances; a modality that no clip has is left out. */
function join(wanted: FeatureSpecs, clips: readonly ClipFeatures[]): ClipFeatures {
  const place = (clip: ClipFeatures): { features: ClipFeatures; index: number } => ({ features: clip, index: 0 });
  return gatherFeatures(wanted, clips.map(place));
}

/**
 * Features of utterances that come from several clips, in one sequence. Where a clip lacks a modality that others have, its utterances
 * have no rows of it.
 */
export function gatherFeatures(
  wanted: FeatureSpecs,
  places: readonly { readonly features: ClipFeatures; readonly index: number }[],
): ClipFeatures {
  const gathered = (Object.keys(wanted) as Modality[]).flatMap((name): [Modality, SequenceFeatures][] => {
    if (places.every(({ features }) => features[name] === undefined)) return [];
    const lengths = Int32Array.from(places, ({ features, index }) => features[name]?.lengths[index] ?? 0);
    const read = (at: number): Float32Array => places[at]!.features[name]!.rows(places[at]!.index);
    return [[name, PackedSequences.from({ spec: wanted[name]!, lengths, read })]];
  });
  return Object.fromEntries(gathered);
}
