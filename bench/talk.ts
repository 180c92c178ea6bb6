/** Talking heads: frames a second of the renderers and of the whole way from sound to file, and where the time goes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RgbImage, readAudio, writeVideo } from 'headrace/media';
import { FaceStage, type MotionFrame, Performer, Portrait, SyntheticFace, VoiceModel } from 'headrace/talkinghead';
import { setNumThreads } from 'headrace/torch';
import { root } from './host.js';
import { interleave, type Side } from './interleave.js';
import { type PartOptions, type PartResult, type Row, row, type Target } from './results.js';

const SIZE = 512;
const FPS = 25;
const example = (name: string): string => join(root, 'examples', name);

const targets: Readonly<Record<string, Target>> = {
  'sound to mp4': { least: 25 },
  'portrait alone': { least: 60 },
  'drawn people, 128 pixels': { least: 200 },
};

export async function talkPart({ rounds, quick, turn }: PartOptions): Promise<PartResult> {
  setNumThreads(2);
  const folder = mkdtempSync(join(tmpdir(), 'headrace-bench-'));
  using portrait = await Portrait.load(example('ana.jpg'), { size: SIZE });
  const speech = await readAudio(example('hello.flac'), { rate: 16000, ...(quick && { end: 1 }) });
  const voice = VoiceModel.load();
  const motions: MotionFrame[] = [];
  for await (const motion of portrait.animate({ speech, voice }).motion()) motions.push(motion);
  const pictures = motions.slice(0, 50).map((motion) => portrait.frame(motion));
  const stage = new FaceStage({ size: 128 });
  const people = Array.from({ length: 10 }, (_, seed) => new SyntheticFace(seed, { stage }));
  const hear = (): number => {
    const stream = voice.stream(FPS);
    return stream.push(speech.samples).length + stream.end().length;
  };
  const perform = (): number => {
    const performer = new Performer({ fps: FPS, rest: portrait.rest.weights });
    for (let i = 0; i < 1000; i++) performer.next(null);
    return 1000;
  };
  const draw = (): number => {
    for (const motion of motions) portrait.frame(motion);
    return motions.length;
  };
  const encode = async (): Promise<number> => {
    await writeVideo(join(folder, 'e.mp4'), pictures as readonly RgbImage[], { fps: FPS, effort: 'little' });
    return pictures.length;
  };
  const whole = async (): Promise<number> =>
    (await portrait.animate({ speech, voice }).write(join(folder, 'w.mp4'))).frames;
  const synthesise = (): number => {
    for (const [i, person] of people.entries())
      for (let frame = 0; frame < 20; frame++) person.frame({ pose: { yaw: i + frame } });
    return 20 * people.length;
  };
  const sides = new Map<string, Side>(
    Object.entries({
      'sound to mp4': whole,
      'portrait alone': draw,
      'encoder alone': encode,
      'voice alone': hear,
      'motion alone': perform,
      'drawn people, 128 pixels': synthesise,
    }).map(([label, run]) => [label, perSecond(run)]),
  );
  try {
    const found = await interleave('talk', 'frames/s', sides, rounds, turn);
    const rows: Row[] = [...found].map(([label, values]) => row(label, 'frames/s', values, targets[label]));
    const notes = [
      `A portrait of ${SIZE} x ${SIZE} with ${FPS} frames a second, two threads. "sound to mp4" hears, moves, draws, encodes and muxes; the encoder runs beside the rest.`,
    ];
    return { title: 'Talking heads: frames a second', settings: { size: SIZE, fps: FPS }, rows, notes };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** How many frames a second something makes that tells how many it made. */
function perSecond(run: () => number | Promise<number>): Side {
  return async () => {
    const start = performance.now();
    const frames = await run();
    return (1000 * frames) / (performance.now() - start);
  };
}
