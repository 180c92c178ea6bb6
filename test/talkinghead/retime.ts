/** Videos of variable rate, as telephones make them. */
import assert from 'node:assert/strict';

/** Copies a file's packets into another, the video's at other times. @param change - seconds to seconds, increasing */
export async function retime(from: string, to: string, change: (time: number) => number): Promise<void> {
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
  }
  ok(await output.openOutput());
  ok(await output.writeHeader());
  const packet = new ff.Packet();
  packet.alloc();
  while ((await input.readFrame(packet)) >= 0) {
    const source = input.streams[packet.streamIndex]!;
    const target = output.streams[packet.streamIndex]!.timeBase;
    packet.rescaleTs(source.timeBase, target);
    if (source.codecpar.codecType === c.AVMEDIA_TYPE_VIDEO) {
      const moved = (ticks: bigint): bigint =>
        BigInt(Math.round(change(Number(ticks) * target.toDouble()) / target.toDouble()));
      // Decoding comes before showing by as much as before, so that neither runs backwards.
      packet.dts += moved(packet.pts) - packet.pts < 0n ? moved(packet.pts) - packet.pts : 0n;
      packet.pts = moved(packet.pts);
    }
    ok(await output.interleavedWriteFrame(packet));
  }
  ok(await output.writeTrailer());
  await output.closeOutput();
  await input.closeInput();
}
