/** Speech whose sounds and times are known exactly: by flite, festival and espeak-ng. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readAudio } from '../../media/index.js';
import { ConfigError, checkOptions, DataError } from '../../torch/index.js';
import type { TimedSound } from './coarticulation.js';
import { festivalSpelling } from './festival-sounds.js';
import { voiceRate } from './mel-stream.js';
import { runProgram, withFolder } from './programs.js';
import type { SoundAlphabet } from './visemes.js';

/** A text as a synthesiser spoke it. */
export interface SpokenText {
  readonly text: string;
  /** As `synthesise` took it: `flite:slt`. */
  readonly voice: string;
  /** 16 kHz, mono. */
  readonly samples: Float32Array;
  readonly sounds: readonly TimedSound[];
  readonly alphabet: SoundAlphabet;
}

export interface SynthesisOptions {
  /** Times as long: 1 by default. */
  readonly stretch?: number;
  /** Times as high, where the voice can: 1 by default. */
  readonly pitch?: number;
}

type Speaker = (voice: string, texts: readonly string[], options: Required<SynthesisOptions>) => Promise<SpokenText[]>;

/**
 * Texts spoken by a voice. Of a language that is not its own festival leaves out the few that it cannot say.
 * @param voice - `flite:NAME` (kal, kal16, awb, rms, slt), `festival:NAME` (cmu_us_slt_arctic_hts, kal_diphone, ked_diphone, and the
 * Italian, Finnish, Czech and Catalan ones that Debian has) or `espeak:LANGUAGE+VARIANT` (`en-us+f3`, `de`, ...)
 * @throws HeadraceError where the program is missing or has no such voice, ConfigError for another kind of voice
 */
export async function synthesise(
  voice: string,
  texts: readonly string[],
  options: SynthesisOptions = {},
): Promise<SpokenText[]> {
  checkOptions('synthesise', options, ['stretch', 'pitch']);
  const { stretch = 1, pitch = 1 } = options;
  for (const [name, value] of Object.entries({ stretch, pitch })) {
    if (!(value >= 0.4 && value <= 2.5))
      throw new ConfigError(`synthesise: expected ${name} from 0.4 to 2.5, got ${value}`);
  }
  const [kind = '', name = ''] = voice.split(/:(.*)/s);
  const speaker = speakers[kind];
  if (speaker === undefined || !/^[\w+-]+$/.test(name)) {
    throw new ConfigError(
      `Expected a voice as flite:NAME, festival:NAME or espeak:LANGUAGE+VARIANT, such as flite:slt, got '${voice}'`,
    );
  }
  if (texts.length === 0) return [];
  const spoken = await speaker(name, texts, { stretch, pitch });
  return spoken.map((result) => ({ ...result, voice }));
}

const speakers: Readonly<Record<string, Speaker>> = { flite, festival, espeak };

async function flite(voice: string, texts: readonly string[], { stretch, pitch }: Required<SynthesisOptions>) {
  return withFolder(async (folder) => {
    const path = join(folder, 'spoken.wav');
    const spoken: SpokenText[] = [];
    for (const text of texts) {
      const settings = ['--setf', `duration_stretch=${stretch}`, '--setf', `int_f0_target_mean=${110 * pitch}`];
      const said = runProgram('flite', ['-voice', voice, '-t', text, '-o', path, '-psdur', ...settings]);
      const ends = [...said.matchAll(/(\S+):([0-9.]+)/g)].map(([, sound, end]) => [sound, Number(end)] as const);
      spoken.push(await result(text, voice, path, fromEnds(ends), 'arpabet'));
    }
    return spoken;
  });
}

async function festival(voice: string, texts: readonly string[], { stretch }: Required<SynthesisOptions>) {
  return withFolder(async (folder) => {
    const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, ' ')}"`;
    const path = (i: number): string => join(folder, `${i}.wav`);
    const script = [
      `(voice_${voice})`,
      `(Parameter.set 'Duration_Stretch ${stretch})`,
      '(define (tell text place path)',
      '  (let ((utterance (SynthText text)))',
      "    (utt.save.wave utterance path 'riff)",
      '    (format t "\\n@%d " place)',
      '    (mapcar (lambda (s) (format t "%s:%f " (item.name s) (item.feat s \'end)))',
      "      (utt.relation.items utterance 'Segment))",
      '    (format t "\\n")))',
      ...texts.map((text, i) => `(unwind-protect (tell ${quoted(text)} ${i} "${path(i)}") nil)`),
    ].join('\n');
    writeFileSync(join(folder, 'speak.scm'), script);
    const said = runProgram('festival', ['-b', join(folder, 'speak.scm')], { seconds: 1800 });
    const spelling = festivalSpelling(voice);
    const lines = [...said.matchAll(/^@(\d+) (.*)$/gm)].map(([, i, times = '']) => [Number(i), times] as const);
    return Promise.all(
      lines.map(([i, times]) => {
        const ends = [...times.matchAll(/(\S+):([0-9.]+)/g)].map(
          ([, sound = '', end]) => [spelling?.(sound) ?? sound, Number(end)] as const,
        );
        return result(texts[i]!, voice, path(i), fromEnds(ends), spelling === null ? 'arpabet' : 'ipa');
      }),
    );
  });
}

/** Words a minute, and the pitch of 100 that is its usual. */
const ESPEAK_RATE = 170;
const ESPEAK_PITCH = 50;
const script = fileURLToPath(new URL('../../../scripts/espeak-phonemes.py', import.meta.url));

async function espeak(voice: string, texts: readonly string[], { stretch, pitch }: Required<SynthesisOptions>) {
  return withFolder(async (folder) => {
    const job = {
      voice,
      rate: Math.round(ESPEAK_RATE / stretch),
      pitch: Math.min(99, Math.max(0, Math.round(ESPEAK_PITCH + 60 * Math.log2(pitch)))),
      out: folder,
      texts,
    };
    const said = runProgram('python3', [script], { input: JSON.stringify(job), seconds: 1800 });
    const lines = said.trim().split('\n');
    return Promise.all(
      texts.map((text, i) => {
        const sounds = (JSON.parse(lines[i] ?? '[]') as [string, number, number][]).map(([sound, start, end]) => {
          return { sound, start, end };
        });
        return result(text, voice, join(folder, `${i}.wav`), sounds, 'ipa');
      }),
    );
  });
}

function fromEnds(ends: readonly (readonly [string | undefined, number])[]): TimedSound[] {
  return ends.map(([sound, end], i) => ({ sound: sound ?? '', start: ends[i - 1]?.[1] ?? 0, end }));
}

async function result(
  text: string,
  voice: string,
  path: string,
  sounds: readonly TimedSound[],
  alphabet: SoundAlphabet,
): Promise<SpokenText> {
  if (sounds.length === 0) throw new DataError(`The voice ${voice} told of no sound in '${text}'`);
  const { samples } = await readAudio(path, { rate: voiceRate });
  return { text, voice, samples, sounds, alphabet };
}
