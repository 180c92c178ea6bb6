/** Speech to text by a model in a local folder, where one is asked for. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reason } from '../io/file.js';
import type { Audio } from '../media/index.js';
import { DataError } from '../torch/errors.js';
import { optionalPackage } from '../torch/optional.js';
import { checkOptions } from '../torch/options.js';
import { cutAtPauses, type SpokenSpan } from './utterances.js';

/** Words that were heard; times in seconds within the samples, null where the recogniser gives none. */
export interface HeardWords {
  readonly text: string;
  readonly start: number | null;
  readonly end: number | null;
}

/** Anything that writes down speech. */
export interface SpeechRecogniser {
  /** Samples a second that it takes. */
  readonly rate: number;
  /** Whether it tells when things are said. It is then given the whole recording, else one utterance after another. */
  readonly timed: boolean;
  recognise(samples: Float32Array): Promise<readonly HeardWords[]>;
}

/**
 * Utterances with their words: as a recogniser with times divides them, else as the pauses do. Where nothing is understood, utterances by
 * pauses without words; none where all is silent.
 * @param audio - at the recogniser's rate
 */
export async function recogniseSpans(recogniser: SpeechRecogniser, audio: Audio): Promise<SpokenSpan[]> {
  if (recogniser.timed) {
    const heard = timedSpans(await recogniser.recognise(audio.samples), audio.samples.length / audio.rate);
    return heard.length > 0 ? heard : cutAtPauses(audio);
  }
  const spans: SpokenSpan[] = [];
  for (const { start, end } of cutAtPauses(audio)) {
    const samples = audio.samples.subarray(Math.round(start * audio.rate), Math.round(end * audio.rate));
    const heard = await recogniser.recognise(samples);
    const text = joined(heard.map((part) => part.text));
    spans.push({ start, end, text: text === '' ? null : text });
  }
  return spans;
}

/** Shorter than this an utterance has too little of a voice; its words go to the one before, or the next. */
const SHORTEST = 0.1;

/** In order, within the recording, none of them empty: a recogniser may leave out its last end, or give two times that are one. */
function timedSpans(heard: readonly HeardWords[], duration: number): SpokenSpan[] {
  const spans: { start: number; end: number; text: string }[] = [];
  let waiting = '';
  for (const [i, { text, start, end }] of heard.entries()) {
    const words = joined([waiting, text]);
    if (words === '') continue;
    const last = spans.at(-1);
    const from = Math.min(Math.max(start ?? 0, last?.end ?? 0), duration);
    const to = Math.min(end ?? heard[i + 1]?.start ?? duration, duration);
    if (to - from >= SHORTEST) {
      spans.push({ start: from, end: to, text: words });
      waiting = '';
    } else if (last !== undefined) last.text = joined([last.text, words]);
    else waiting = words;
  }
  if (waiting === '' || duration === 0) return spans;
  return [{ start: 0, end: duration, text: waiting }];
}

function joined(parts: readonly string[]): string {
  return parts.join(' ').replace(/\s+/g, ' ').trim();
}

/** The package that runs the models. */
const PACKAGE = '@huggingface/transformers';

/** What is used of it. */
interface Transformers {
  readonly env: { allowRemoteModels: boolean; allowLocalModels: boolean; useFSCache: boolean };
  pipeline(task: string, folder: string, options: Readonly<Record<string, unknown>>): Promise<Transcriber>;
}

type Transcriber = (
  samples: Float32Array,
  options: Readonly<Record<string, unknown>>,
) => Promise<{ text: string; chunks?: readonly { text: string; timestamp: readonly (number | null)[] }[] }>;

/** A file of weights ends in one of these, after the names of the package's `dtype`; the first that is there is used. */
const WEIGHTS: Readonly<Record<string, string>> = {
  fp32: '',
  q8: '_quantized',
  int8: '_int8',
  uint8: '_uint8',
  q4: '_q4',
  bnb4: '_bnb4',
  fp16: '_fp16',
};

/** Models of this kind are told their language, and give times. */
const WHISPER = /whisper/;

export interface RecogniserOptions {
  /** Language of the speech, for models that know several (Whisper): `en`, `german`. By default English. */
  readonly language?: string | undefined;
}

/**
 * Loads a model of `@huggingface/transformers` (Whisper, wav2vec2, HuBERT, Moonshine, ... as ONNX) from a folder. Nothing is downloaded.
 * The package is looked for beside this one, then from the working directory.
 * @throws ConfigError when the package is not installed, DataError when the folder holds no such model
 */
export async function loadRecogniser(folder: string, options: RecogniserOptions = {}): Promise<SpeechRecogniser> {
  checkOptions('loadRecogniser', options, ['language']);
  const { kind, dtype } = checkModelFolder(folder);
  const transformers = await importTransformers();
  Object.assign(transformers.env, { allowRemoteModels: false, allowLocalModels: true, useFSCache: false });
  let transcribe: Transcriber;
  try {
    // An absolute path: a relative one is taken for the name of a model in the package's own folder.
    transcribe = await transformers.pipeline('automatic-speech-recognition', resolve(folder), {
      dtype,
      local_files_only: true,
    });
  } catch (cause) {
    throw new DataError(`${folder}: ${PACKAGE} cannot load it as a model for speech recognition: ${reason(cause)}`, {
      cause,
    });
  }
  const timed = WHISPER.test(kind);
  const language = options.language === undefined ? {} : { language: options.language };
  const settings = timed ? { return_timestamps: true, chunk_length_s: 30, stride_length_s: 5, ...language } : language;
  return {
    rate: 16000,
    timed,
    async recognise(samples) {
      try {
        const { text, chunks } = await transcribe(samples, settings);
        if (chunks === undefined) return [{ text, start: null, end: null }];
        return chunks.map((part) => ({
          text: part.text,
          start: part.timestamp[0] ?? null,
          end: part.timestamp[1] ?? null,
        }));
      } catch (cause) {
        throw new DataError(`${folder}: the recogniser failed: ${reason(cause)}`, { cause });
      }
    },
  };
}

/** What lies in the folder, before the package is loaded. */
function checkModelFolder(folder: string): { kind: string; dtype: string } {
  const expected = `expected a folder with config.json, preprocessor_config.json, tokenizer.json and onnx/*.onnx (a model for speech recognition as ${PACKAGE} reads it)`;
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new DataError(`No folder ${folder} (looked from ${process.cwd()}): ${expected}`);
  const absent = ['config.json', 'preprocessor_config.json', 'tokenizer.json', 'onnx'].filter(
    (name) => !existsSync(join(folder, name)),
  );
  if (absent.length > 0) throw new DataError(`${folder} has no ${absent.join(', no ')}: ${expected}`);
  const files = readdirSync(join(folder, 'onnx'));
  const dtype = Object.keys(WEIGHTS).find((name) =>
    files.some((file) => file === `model${WEIGHTS[name]}.onnx` || file === `encoder_model${WEIGHTS[name]}.onnx`),
  );
  if (dtype === undefined) throw new DataError(`${join(folder, 'onnx')} has no weights that are known: ${expected}`);
  try {
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as { model_type?: unknown };
    return { kind: String(config.model_type), dtype };
  } catch (cause) {
    throw new DataError(`${join(folder, 'config.json')}: ${reason(cause)}`, { cause });
  }
}

async function importTransformers(): Promise<Transformers> {
  const found = await optionalPackage<Transformers & { default?: Transformers }>(PACKAGE, 'Speech recognition');
  return found.pipeline === undefined && found.default !== undefined ? found.default : found;
}
