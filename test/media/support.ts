/** Recordings and videos made for the tests, and real ones where they are. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RgbImage } from 'headrace/media';

/** A folder for the files of one test file, removed at the end. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-media-'));
  after(() => rmSync(folder, { recursive: true }));
  return (name) => join(folder, name);
}

/** A folder of real data below HEADRACE_TEST_DATA or ../shared/data, and `skip` with the reason where it is absent. */
export function realData(name: string): { path: string; skip: string | false } {
  const root = process.env.HEADRACE_TEST_DATA ?? fileURLToPath(new URL('../../../../shared/data', import.meta.url));
  const path = join(root, name);
  return { path, skip: existsSync(path) ? false : `no ${name} in HEADRACE_TEST_DATA or ../shared/data` };
}

/** Frames whose grey value tells their number: frame `k` is all `grey(k)`. */
export const grey = (k: number): number => 20 + ((k * 3) % 200);

export function* greyFrames(count: number, width = 32, height = 24): Generator<RgbImage> {
  for (let k = 0; k < count; k++) yield { width, height, data: new Uint8Array(width * height * 3).fill(grey(k)) };
}

/** Which frame of {@link greyFrames} a picture is, by its middle pixel. */
export function numberOf({ width, height, data }: RgbImage): number {
  return Math.round(((data[3 * (Math.floor(height / 2) * width + Math.floor(width / 2))] as number) - 20) / 3);
}

/** `seconds` of silence with a tone of 50 ms that begins at each of `onsets`. */
export function beeps(rate: number, seconds: number, onsets: readonly number[], hertz = 440): Float32Array {
  const samples = new Float32Array(Math.round(rate * seconds));
  for (const onset of onsets) {
    const from = Math.round(onset * rate);
    for (let i = 0; i < 0.05 * rate; i++) samples[from + i] = 0.5 * Math.cos((2 * Math.PI * hertz * i) / rate);
  }
  return samples;
}

/** Seconds at which the sound rises above `level` after at least 50 ms below it. */
export function onsetsOf(samples: Float32Array, rate: number, level = 0.2): number[] {
  const found: number[] = [];
  let quietSince = -1;
  samples.forEach((value, i) => {
    if (Math.abs(value) <= level) return;
    if (i - quietSince > 0.05 * rate || found.length === 0) found.push(i / rate);
    quietSince = i;
  });
  return found;
}

export const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

/** Copies a file's packets into another, streams moved in time, and its video with a display matrix or the shape of its pixels. */
export async function remux(
  from: string,
  to: string,
  change: {
    delays?: Readonly<Record<'audio' | 'video', number>>;
    matrix?: readonly number[];
    aspect?: readonly [number, number];
  } = {},
): Promise<void> {
  const ff = await import('node-av/lib');
  const c = await import('node-av/constants');
  const ok = (code: number): void => assert.ok(code >= 0, ff.FFmpegError.strerror(code));
  const input = new ff.FormatContext();
  ok(await input.openInput(from));
  ok(await input.findStreamInfo());
  const output = new ff.FormatContext();
  ok(output.allocOutputContext2(null, null, to));
  for (const { codecpar, timeBase } of input.streams) {
    const stream = output.newStream();
    ok(codecpar.copy(stream.codecpar));
    stream.codecpar.codecTag = 0;
    stream.timeBase = timeBase;
    if (change.aspect && codecpar.codecType === c.AVMEDIA_TYPE_VIDEO) {
      stream.sampleAspectRatio = new ff.Rational(...change.aspect);
      stream.codecpar.sampleAspectRatio = new ff.Rational(...change.aspect);
    }
    if (change.matrix && codecpar.codecType === c.AVMEDIA_TYPE_VIDEO) {
      const data = Buffer.alloc(36);
      for (const [i, value] of change.matrix.entries()) data.writeInt32LE(value * 2 ** (i % 3 === 2 ? 30 : 16), 4 * i);
      ok(stream.codecpar.addCodedSideData(c.AV_PKT_DATA_DISPLAYMATRIX, data));
    }
  }
  ok(await output.openOutput());
  ok(await output.writeHeader());
  const packet = new ff.Packet();
  packet.alloc();
  while ((await input.readFrame(packet)) >= 0) {
    const source = input.streams[packet.streamIndex]!;
    const kind = source.codecpar.codecType === c.AVMEDIA_TYPE_AUDIO ? 'audio' : 'video';
    packet.rescaleTs(source.timeBase, output.streams[packet.streamIndex]!.timeBase);
    const ticks = BigInt(
      Math.round((change.delays?.[kind] ?? 0) / output.streams[packet.streamIndex]!.timeBase.toDouble()),
    );
    packet.pts += ticks;
    packet.dts += ticks;
    ok(await output.interleavedWriteFrame(packet));
  }
  ok(await output.writeTrailer());
  await output.closeOutput();
  await input.closeInput();
}

/** A copy of an .mp4 with that part of its packets overwritten, from 0 to 1. */
export function damageMedia(from: string, to: string, begin: number, end: number): void {
  const bytes = readFileSync(from);
  const first = bytes.indexOf('mdat') + 4;
  const moov = bytes.indexOf('moov');
  const length = (moov > first ? moov - 4 : bytes.length) - first;
  for (let at = Math.ceil(first + begin * length); at < first + end * length; at++) bytes[at] = (at * 37) & 0xff;
  writeFileSync(to, bytes);
}
