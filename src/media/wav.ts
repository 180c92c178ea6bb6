/**
 * WAV files: PCM of 8, 16, 24 and 32 bits and floats of 32 and 64, read and written without FFmpeg.
 * Format: RIFF chunks, as in http://soundfile.sapp.org/doc/WaveFormat/, with the `WAVE_FORMAT_EXTENSIBLE` header of Windows.
 */
import { writeFileAtomic } from '../io/atomic.js';
import { FileReader } from '../io/file.js';
import { ConfigError, DataError } from '../torch/errors.js';

/** How samples are stored. */
export type WavEncoding = 'pcm8' | 'pcm16' | 'pcm24' | 'pcm32' | 'float32' | 'float64';

/** Sound of one or more channels, samples in [-1, 1]. */
export interface WavAudio {
  /** Samples a second. */
  readonly rate: number;
  /** As many samples in each. */
  readonly channels: readonly Float32Array[];
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** The length of a chunk whose writer did not know it: it goes on to the end. */
const STREAMED = 0xffffffff;

interface Layout {
  readonly tag: number;
  readonly bytes: number;
  /** A sample of [-1, 1] at a place. */
  read(view: DataView, at: number): number;
  write(view: DataView, at: number, value: number): void;
}

/** Integers are the sample times 2^(bits - 1), as every reader takes them, so that 16 bits survive both ways unchanged. */
function integer(bytes: number, get: Layout['read'], set: Layout['write']): Layout {
  const scale = 2 ** (8 * bytes - 1);
  return {
    tag: PCM,
    bytes,
    read: (view, at) => get(view, at) / scale,
    write: (view, at, value) => set(view, at, Math.max(-scale, Math.min(scale - 1, Math.round(value * scale)))),
  };
}

const LAYOUTS: Readonly<Record<WavEncoding, Layout>> = {
  pcm8: integer(
    1,
    (view, at) => view.getUint8(at) - 128,
    (view, at, value) => view.setUint8(at, value + 128),
  ),
  pcm16: integer(
    2,
    (view, at) => view.getInt16(at, true),
    (view, at, value) => view.setInt16(at, value, true),
  ),
  pcm24: integer(
    3,
    (view, at) => view.getUint8(at) + 256 * view.getInt16(at + 1, true),
    (view, at, value) => {
      view.setUint8(at, value & 0xff);
      view.setInt16(at + 1, value >> 8, true);
    },
  ),
  pcm32: integer(
    4,
    (view, at) => view.getInt32(at, true),
    (view, at, value) => view.setInt32(at, value, true),
  ),
  float32: {
    tag: FLOAT,
    bytes: 4,
    read: (view, at) => view.getFloat32(at, true),
    write: (view, at, value) => view.setFloat32(at, value, true),
  },
  float64: {
    tag: FLOAT,
    bytes: 8,
    read: (view, at) => view.getFloat64(at, true),
    write: (view, at, value) => view.setFloat64(at, value, true),
  },
};

/** Reads a WAV file. @throws DataError when it is none, is cut short, or is compressed */
export function readWav(path: string): WavAudio & { readonly encoding: WavEncoding } {
  return parseWav(
    FileReader.with(path, (file) => file.read(0, file.size)),
    path,
  );
}

/**
 * Parses the bytes of a WAV file.
 * @param where - named in errors
 */
export function parseWav(bytes: Uint8Array, where: string): WavAudio & { readonly encoding: WavEncoding } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || word(view, 0) !== 'RIFF' || word(view, 8) !== 'WAVE')
    throw new DataError(`${where} is not a WAV file: it does not begin with RIFF and WAVE`);
  const { format, data } = chunks(view, where);
  const { layout, encoding, channels, rate } = parseFormat(view, format, where);
  const size = layout.bytes * channels;
  const length = Math.floor(data.size / size);
  const out = Array.from({ length: channels }, () => new Float32Array(length));
  out.forEach((samples, channel) => {
    let at = data.at + channel * layout.bytes;
    for (let i = 0; i < length; i++, at += size) samples[i] = layout.read(view, at);
  });
  return { rate, channels: out, encoding };
}

interface Chunk {
  readonly at: number;
  readonly size: number;
}

/** Finds the two chunks that matter among those that do not. */
function chunks(view: DataView, where: string): { format: Chunk; data: Chunk } {
  let format: Chunk | null = null;
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const name = word(view, at);
    const announced = view.getUint32(at + 4, true);
    const size = announced === STREAMED ? view.byteLength - at - 8 : announced;
    const chunk = { at: at + 8, size };
    if (name === 'fmt ') format = chunk;
    if (name === 'fmt ' || name === 'data') {
      const there = view.byteLength - chunk.at;
      if (size > there)
        throw new DataError(`${where} is cut short: its ${name.trim()} has ${size} bytes, of which ${there} are there`);
    }
    if (name === 'data') {
      if (format === null) break;
      return { format, data: chunk };
    }
    at = chunk.at + size + (size % 2); // chunks are padded to even lengths
  }
  throw new DataError(`${where} is not a whole WAV file: it has no ${format === null ? 'format' : 'data'} chunk`);
}

function parseFormat(
  view: DataView,
  { at, size }: Chunk,
  where: string,
): { layout: Layout; encoding: WavEncoding; channels: number; rate: number } {
  if (size < 16) throw new DataError(`${where}: expected a format chunk of 16 bytes or more, got ${size}`);
  const bits = view.getUint16(at + 14, true);
  const own = view.getUint16(at, true);
  const tag = own === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : own;
  const [channels, rate, block] = [
    view.getUint16(at + 2, true),
    view.getUint32(at + 4, true),
    view.getUint16(at + 12, true),
  ];
  const encoding = (Object.keys(LAYOUTS) as WavEncoding[]).find(
    (name) => LAYOUTS[name].tag === tag && LAYOUTS[name].bytes * 8 === bits,
  );
  if (encoding === undefined) {
    throw new DataError(
      `${where}: WAV of format ${tag} with ${bits} bits is not read here; expected PCM of 8, 16, 24 or 32 bits or floats ` +
        'of 32 or 64. readAudio reads the compressed ones too',
    );
  }
  const layout = LAYOUTS[encoding];
  if (channels < 1 || rate < 1 || block !== channels * layout.bytes)
    throw new DataError(
      `${where}: damaged format chunk: ${channels} channels, ${rate} samples a second, blocks of ${block}`,
    );
  return { layout, encoding, channels, rate };
}

/** Writes a WAV file, atomically. Samples beyond [-1, 1] are clipped by the integer encodings. */
export function writeWav(path: string, audio: WavAudio, encoding: WavEncoding = 'pcm16'): void {
  writeFileAtomic(path, [encodeWav(audio, encoding)]);
}

/** The bytes of a WAV file. @throws ConfigError when channels differ in length, or it would pass 4 GiB */
export function encodeWav(audio: WavAudio, encoding: WavEncoding = 'pcm16'): Uint8Array {
  const { channels, rate } = audio;
  const layout = LAYOUTS[encoding];
  const length = channels[0]?.length ?? 0;
  if (channels.length < 1 || channels.some((channel) => channel.length !== length))
    throw new ConfigError(
      `expected channels of one length, got ${channels.map((channel) => channel.length).join(', ')}`,
    );
  if (!(Number.isSafeInteger(rate) && rate > 0))
    throw new ConfigError(`expected a whole number of samples a second, got ${rate}`);
  const block = channels.length * layout.bytes;
  const size = length * block;
  if (size > 0xffffff00) throw new ConfigError(`a WAV file holds 4 GiB at most, these samples take ${size} bytes`);
  const bytes = new Uint8Array(44 + size + (size % 2));
  const view = new DataView(bytes.buffer);
  writeHeader(view, layout, { channels: channels.length, rate, block, size });
  channels.forEach((samples, channel) => {
    let at = 44 + channel * layout.bytes;
    for (let i = 0; i < length; i++, at += block) layout.write(view, at, samples[i] as number);
  });
  return bytes;
}

function writeHeader(
  view: DataView,
  layout: Layout,
  { channels, rate, block, size }: { channels: number; rate: number; block: number; size: number },
): void {
  const put = (at: number, text: string): void => {
    for (let i = 0; i < 4; i++) view.setUint8(at + i, text.charCodeAt(i));
  };
  put(0, 'RIFF');
  view.setUint32(4, view.byteLength - 8, true);
  put(8, 'WAVE');
  put(12, 'fmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, layout.tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, 8 * layout.bytes, true);
  put(36, 'data');
  view.setUint32(40, size, true);
}

function word(view: DataView, at: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
