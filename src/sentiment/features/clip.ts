/** A clip as a model reads it: cut into utterances, with their words and the features that the model was trained on. */
import { type AudioExtractor, audioExtractor, extractAudio, type FeatureRows } from '../../features/audio.js';
import { findAudioExtractor, findVisionExtractor } from '../../features/own.js';
import { recogniseSpans, type SpeechRecogniser } from '../../features/recognise.js';
import { PackedSequences } from '../../features/sequences.js';
import type { FeatureSpec, FeatureSpecs, Modality } from '../../features/specs.js';
import { fitSubtitles, readSubtitles } from '../../features/subtitles.js';
import { cutAtPauses, type SpokenSpan } from '../../features/utterances.js';
import { extractVision, meanExpressions, type VisionRows, visionSpec } from '../../features/vision.js';
import {
  type Audio,
  type Expressions,
  FaceAnalyser,
  type MediaExtent,
  type MediaInfo,
  mediaExtent,
  mediaInfo,
  readAudio,
  readFrames,
} from '../../media/index.js';
import { ConfigError, DataError, HeadraceError } from '../../torch/errors.js';
import { checkOptions } from '../../torch/options.js';
import type { ClipFeatures, UtteranceInput } from '../predict.js';

/** Pictures a second that are looked at for nothing but the expressions. */
const EXPRESSION_RATE = 1;

export interface ClipOptions {
  /** What is said in the whole clip, which then is one utterance. */
  readonly transcript?: string | undefined;
  /** A file of SRT or WebVTT subtitles: its entries are the utterances. */
  readonly subtitles?: string | undefined;
  /** Whether to tell what faces show, for which pictures are looked at that no feature needs. Default false. */
  readonly expressions?: boolean | undefined;
}

export interface Clip {
  readonly info: MediaInfo;
  readonly utterances: readonly UtteranceInput[];
  readonly features: ClipFeatures;
  /** What the face of each utterance shows; null without one, and where that is not asked for. */
  readonly expressions: readonly (Expressions | null)[];
  /** What could not be had, and why: for people. */
  readonly notes: readonly string[];
}

/**
 * Reads a recording or video. Without words it is cut at pauses, without sound it is one utterance.
 * @param wanted - the features to extract, as a trained model names them
 * @throws DataError when the file is no recording or video, ConfigError for features that cannot be extracted here
 */
export function readClip(path: string, wanted: FeatureSpecs, options: ClipOptions = {}): Promise<Clip> {
  return new ClipReader(wanted).read(path, options);
}

/** Reads clips one after another; the networks that see faces are loaded once. */
export class ClipReader {
  readonly #wanted: FeatureSpecs;
  #audio: Promise<AudioExtractor> | null = null;
  readonly #recogniser: SpeechRecogniser | null;
  #faces: Promise<FaceAnalyser> | null = null;

  /**
   * @param wanted - the features to extract, as a trained model names them
   * @param recogniser - hears the words where none are given
   * @throws ConfigError for features that cannot be extracted here
   */
  constructor(wanted: FeatureSpecs, recogniser: SpeechRecogniser | null = null) {
    this.#wanted = wanted;
    this.#recogniser = recogniser;
    if (wanted.audio && !wanted.audio.from) audioExtractor(wanted.audio);
    if (wanted.vision && !wanted.vision.from) checkVision(wanted.vision);
  }

  /** See {@link readClip}. */
  async read(path: string, options: ClipOptions = {}): Promise<Clip> {
    checkOptions('read', options, ['transcript', 'subtitles', 'expressions']);
    const [info, extent] = [await mediaInfo(path), await mediaExtent(path)];
    const notes: string[] = [];
    const note = (remark: string): void => void notes.push(remark);
    const spans = await this.#spans(path, info, extent, options, notes);
    if (spans.every(({ text }) => text === null)) notes.push(withoutWords(info, this.#recogniser));
    const features: Partial<Record<Modality, PackedSequences>> = {};
    if (this.#wanted.audio) {
      this.#audio ??= findAudioExtractor(this.#wanted.audio);
      const extractor = await this.#audio;
      const sound = info.audio ? await readSound(path, extractor.rate, note) : null;
      if (sound) features.audio = await voices(extractor, sound, extent.soundFrom ?? 0, spans, notes);
      else notes.push('no sound: audio features are missing');
    }
    if (this.#wanted.vision) {
      if (info.video) features.vision = await this.#vision(path, spans, notes);
      else notes.push('no pictures: vision features are missing');
    }
    const utterances = spans.map(({ text, start, end }, i) => ({ id: `utterance ${i + 1}`, text, start, end }));
    const looks = (options.expressions ?? false) && info.video !== null;
    const expressions = looks ? await this.#expressions(path, spans, features.vision, notes) : spans.map(() => null);
    return { info, utterances, features, expressions, notes };
  }

  /** From the rows that a model reads, where they are of faces. */
  async #expressions(
    path: string,
    spans: readonly SpokenSpan[],
    seen: PackedSequences | undefined,
    notes: string[],
  ): Promise<(Expressions | null)[]> {
    if (seen && !this.#wanted.vision!.from) return spans.map((_, i) => meanExpressions(seen.rows(i)));
    try {
      this.#faces ??= FaceAnalyser.load();
      const note = (remark: string): void => void notes.push(remark);
      const found = await extractVision(await this.#faces, path, spans, EXPRESSION_RATE, note);
      return found.map(({ rows }) => meanExpressions(rows));
    } catch (error) {
      if (!(error instanceof HeadraceError)) throw error;
      notes.push(`faces are not looked at: ${error.message}`);
      return spans.map(() => null);
    }
  }

  /** By subtitles, or as one with a transcript; else as the recogniser or the pauses divide it. */
  async #spans(
    path: string,
    info: MediaInfo,
    { end }: MediaExtent,
    { transcript, subtitles }: ClipOptions,
    notes: string[],
  ): Promise<SpokenSpan[]> {
    if (transcript !== undefined && subtitles !== undefined) {
      throw new ConfigError('Expected a transcript or subtitles, got both');
    }
    const note = (remark: string): void => void notes.push(remark);
    if (subtitles !== undefined) {
      const found = fitSubtitles(readSubtitles(subtitles, note), end, subtitles, note);
      if (found.length > 0) return found;
      notes.push(`${subtitles} holds no subtitles: the words are not read`);
    }
    const recogniser = subtitles === undefined ? this.#recogniser : null;
    const whole = { start: 0, end: Math.max(end, 0.01), text: transcript ?? null };
    if (transcript !== undefined || !info.audio) return [whole];
    const sound = await readSound(path, recogniser?.rate ?? 16000);
    if (sound === null) return [whole];
    const heard = recogniser === null ? cutAtPauses(sound) : await recogniseSpans(recogniser, sound);
    return heard.length > 0 ? heard : [whole];
  }

  /** An utterance in which no face is found has no rows at all: its vision is missing, not blank. */
  async #vision(path: string, spans: readonly SpokenSpan[], notes: string[]): Promise<PackedSequences> {
    const rows = await this.#sights(path, spans, (remark) => void notes.push(remark));
    const seen = rows.map(({ mask }) => mask.includes(1));
    const without = seen.flatMap((found, i) => (found ? [] : [i + 1]));
    const nothing = this.#wanted.vision!.from ? 'nothing to see' : 'no face';
    if (without.length > 0) notes.push(`${nothing} in utterance ${without.join(', ')}: vision is missing there`);
    return packed(rows, seen);
  }

  async #sights(
    path: string,
    spans: readonly SpokenSpan[],
    note: (remark: string) => void,
  ): Promise<readonly VisionRows[]> {
    const wanted = this.#wanted.vision!;
    const own = await findVisionExtractor(wanted);
    if (own === null) {
      this.#faces ??= FaceAnalyser.load();
      return extractVision(await this.#faces, path, spans, wanted.rate ?? undefined, note);
    }
    const found: VisionRows[] = [];
    for (const { start, end } of spans) {
      const rows = await own.extract(readFrames(path, { start, end, fps: own.spec.rate!, note }));
      const length = rows.length / own.spec.dims;
      found.push({ spec: own.spec, length, rows, mask: new Uint8Array(Math.max(1, length)).fill(length > 0 ? 1 : 0) });
    }
    return found;
  }
}

function checkVision({ name, version, rate }: FeatureSpec): void {
  const own = visionSpec(rate ?? undefined);
  if (name === own.name && version === own.version) return;
  throw new ConfigError(
    `vision features '${name}' version ${version} cannot be extracted here; known are '${own.name}' version ${own.version}. Give these features in a file, or train with known ones`,
  );
}

function withoutWords({ audio }: MediaInfo, recogniser: SpeechRecogniser | null): string {
  if (recogniser === null)
    return 'no transcript: the words are not read (a transcript, subtitles or a speech recogniser gives them)';
  return audio ? 'no words: speech recognition gave no text' : 'no words: there is no sound to recognise speech in';
}

/** Null where there is a stream of sound with nothing in it. @param note - told of damage */
async function readSound(path: string, rate: number, note?: (remark: string) => void): Promise<Audio | null> {
  try {
    return await readAudio(path, { rate, ...(note && { note }) });
  } catch (error) {
    if (error instanceof DataError && error.code === 'EMPTY') return null;
    throw error;
  }
}

/** Rows of the utterances that the sound reaches; the others have none: their audio is missing, not silent. */
async function voices(
  extractor: AudioExtractor,
  sound: Audio,
  from: number,
  spans: readonly SpokenSpan[],
  notes: string[],
): Promise<PackedSequences> {
  const to = sound.samples.length / sound.rate;
  const heard = spans.map(({ start, end }) => end > from && Math.round(start * sound.rate) < sound.samples.length);
  const without = heard.flatMap((found, i) => (found ? [] : [i + 1]));
  if (without.length > 0) {
    const when = `the sound goes from ${from.toFixed(2)} to ${to.toFixed(2)} s`;
    notes.push(`no sound in utterance ${without.join(', ')} (${when}): audio is missing there`);
  }
  const rows = await extractAudio(
    extractor,
    sound,
    spans.filter((_, i) => heard[i]),
  );
  const nothing: FeatureRows = { spec: extractor.spec, length: 0, rows: new Float32Array(0) };
  let at = 0;
  return packed(
    heard.map((found) => (found ? (rows[at++] as FeatureRows) : nothing)),
    heard,
  );
}

function packed(rows: readonly FeatureRows[], present?: readonly boolean[]): PackedSequences {
  const lengths = Int32Array.from(rows, ({ length }, i) => (present?.[i] === false ? 0 : length));
  return PackedSequences.from({ spec: rows[0]!.spec, lengths, read: (i) => rows[i]!.rows });
}
