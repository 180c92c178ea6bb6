/** The viseme model of @met4citizen/headaudio (MIT), to compare with: `HEADRACE_HEADAUDIO` names its unpacked package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MouthMaker } from 'headrace/talkinghead';

/** cm between the lips for each of its fifteen visemes: aa E I O U PP SS TH DD FF kk nn RR CH sil, as our own sounds have them. */
const openings = [0.95, 0.86, 0.38, 0.68, 0.13, 0, 0.36, 0.27, 0.36, 0.05, 0.47, 0.36, 0.27, 0.57, 0];
const SILENCE = 14;
/** Seconds in which it fades a viseme in, and out. */
const FADE = 0.1;

interface VisemeEvent {
  readonly event: string;
  readonly viseme: number;
  readonly t: number;
}

interface Processor {
  process(samples: Float32Array): void;
  _onmessage(message: { data: object }): void;
}

interface Modules {
  readonly Processor: new (options: object, worklet: object) => Processor;
  readonly Training: new (options: object) => { decodeBinaryRecord(record: Float32Array): object };
  readonly RECORD_OFFSET: number;
  readonly RECORD_LEN: number;
}

async function load(folder: string): Promise<Modules> {
  const parts = await Promise.all(
    ['processor', 'training', 'parameters'].map(
      (name) => import(pathToFileURL(join(folder, 'modules', `${name}.mjs`)).href) as Promise<Partial<Modules>>,
    ),
  );
  return Object.assign({}, ...parts) as Modules;
}

/** Its mouth: the openings of the visemes that it hears, faded as it fades them. */
export async function headAudio(folder: string): Promise<MouthMaker> {
  const { Processor, Training, RECORD_OFFSET, RECORD_LEN } = await load(folder);
  const bytes = readFileSync(join(folder, 'dist', 'model-en-mixed.bin'));
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const training = new Training({ sampleRate: 16000 });
  const model: object[] = [];
  for (let at = 0; at + RECORD_OFFSET <= buffer.byteLength; at += 4 * RECORD_LEN) {
    model.push(training.decodeBinaryRecord(new Float32Array(buffer, at, RECORD_LEN)));
  }
  return (samples, fps) => {
    const events: VisemeEvent[] = [];
    const port = { onmessage: null, postMessage: (event: VisemeEvent) => events.push(event) };
    const processor = new Processor({ sampleRate: 3 * 16000 }, { port });
    processor._onmessage({ data: { event: 'model', model, reset: true } });
    processor.process(threefold(samples));
    return faded(events, Math.round((samples.length * fps) / 16000), fps);
  };
}

/** At 48 kHz, which browsers give it and its filters are made for: cubic between samples. */
function threefold(samples: Float32Array): Float32Array {
  const at = (i: number): number => samples[i] ?? 0;
  return Float32Array.from({ length: 3 * samples.length }, (_, i) => {
    const k = Math.floor(i / 3);
    const t = i / 3 - k;
    const [a, b, c, d] = [at(k - 1), at(k), at(k + 1), at(k + 2)];
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
  });
}

function faded(events: readonly VisemeEvent[], frames: number, fps: number): Float64Array {
  const strengths = new Float64Array(openings.length);
  let [next, active] = [0, SILENCE];
  return Float64Array.from({ length: frames }, (_, frame) => {
    for (; next < events.length && events[next]!.t <= frame / fps; next++) {
      const { event, viseme } = events[next]!;
      active = event === 'viseme' ? viseme : event === 'ended' ? SILENCE : active;
    }
    let sum = 0;
    for (const [viseme, opening] of openings.entries()) {
      const step = (viseme === active ? 1 : -1) / (FADE * fps);
      strengths[viseme] = Math.min(1, Math.max(0, strengths[viseme]! + step));
      sum += strengths[viseme]! * opening;
    }
    return sum;
  });
}
