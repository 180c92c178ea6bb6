/** A clip as a model reads it: cut into utterances, with their words and the features that the model was trained on. */
import { FaceAnalyser, type MediaInfo, mediaInfo, readAudio } from '../../media/index.js';
import { ConfigError } from '../../torch/errors.js';
import { type FeatureSpec, type FeatureSpecs, type Modality, PackedSequences } from '../datasets/index.js';
import type { ClipFeatures, UtteranceInput } from '../predict.js';
import { type AudioExtractor, audioExtractor, extractAudio, type FeatureRows } from './audio.js';
import { recogniseSpans, type SpeechRecogniser } from './recognise.js';
import { checkSpans, cutAtPauses, readSubtitles, type SpokenSpan } from './utterances.js';
import { extractVision, visionSpec } from './vision.js';

export interface ClipOptions {
  /** What is said in the whole clip, which then is one utterance. */
  readonly transcript?: string | undefined;
  /** A file of SRT or WebVTT subtitles: its entries are the utterances. */
  readonly subtitles?: string | undefined;
}

export interface Clip {
  readonly info: MediaInfo;
  readonly utterances: readonly UtteranceInput[];
  readonly features: ClipFeatures;
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
  readonly #audio: AudioExtractor | null;
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
    this.#audio = wanted.audio ? audioExtractor(wanted.audio) : null;
    if (wanted.vision) checkVision(wanted.vision);
  }

  /** See {@link readClip}. */
  async read(path: string, options: ClipOptions = {}): Promise<Clip> {
    const info = await mediaInfo(path);
    const notes: string[] = [];
    const spans = await spansOf(path, info, options, this.#recogniser);
    if (spans.every(({ text }) => text === null)) notes.push(withoutWords(info, this.#recogniser));
    const features: Partial<Record<Modality, PackedSequences>> = {};
    if (this.#audio) {
      if (info.audio) features.audio = packed(await extractAudio(this.#audio, path, spans));
      else notes.push('no sound: audio features are missing');
    }
    if (this.#wanted.vision) {
      if (info.video) features.vision = await this.#vision(path, spans, notes);
      else notes.push('no pictures: vision features are missing');
    }
    const utterances = spans.map(({ text, start, end }, i) => ({ id: `utterance ${i + 1}`, text, start, end }));
    return { info, utterances, features, notes };
  }

  /** An utterance in which no face is found has no rows at all: its vision is missing, not blank. */
  async #vision(path: string, spans: readonly SpokenSpan[], notes: string[]): Promise<PackedSequences> {
    this.#faces ??= FaceAnalyser.load();
    const rows = await extractVision(await this.#faces, path, spans, this.#wanted.vision?.rate ?? undefined);
    const seen = rows.map(({ mask }) => mask.includes(1));
    const without = seen.flatMap((found, i) => (found ? [] : [i + 1]));
    if (without.length > 0) notes.push(`no face in utterance ${without.join(', ')}: vision is missing there`);
    return packed(rows, seen);
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
  if (recogniser === null) return 'no transcript: the words are not read (--transcript, --srt, --asr)';
  return audio ? 'no words: speech recognition gave no text' : 'no words: there is no sound to recognise speech in';
}

async function spansOf(
  path: string,
  info: MediaInfo,
  options: ClipOptions,
  recogniser: SpeechRecogniser | null,
): Promise<SpokenSpan[]> {
  const { transcript, subtitles } = options;
  if (transcript !== undefined && subtitles !== undefined) {
    throw new ConfigError('Expected a transcript or subtitles, got both');
  }
  const duration = info.duration ?? info.audio?.duration ?? info.video?.duration ?? 0;
  if (subtitles !== undefined) return checkSpans(readSubtitles(subtitles), duration);
  const whole = { start: 0, end: Math.max(duration, 0.01), text: transcript ?? null };
  if (transcript !== undefined || !info.audio) return [whole];
  const sound = await readAudio(path, { rate: recogniser?.rate ?? 16000 });
  const found = recogniser === null ? cutAtPauses(sound) : await recogniseSpans(recogniser, sound);
  return found.length > 0 ? found : [whole];
}

function packed(rows: readonly FeatureRows[], present?: readonly boolean[]): PackedSequences {
  const lengths = Int32Array.from(rows, ({ length }, i) => (present?.[i] === false ? 0 : length));
  return PackedSequences.from({ spec: rows[0]!.spec, lengths, read: (i) => rows[i]!.rows });
}
