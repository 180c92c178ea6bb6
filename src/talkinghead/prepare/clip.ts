/** A part of a video to the files of a clip: pictures, sound, numbers. */
import { saveNpz } from '../../io/index.js';
import {
  type Audio,
  expressionNames,
  type Face,
  landmarkCount,
  mediaInfo,
  readAudio,
  readFrames,
  writeVideo,
  writeWav,
} from '../../media/index.js';
import { DataError, scope, tensor } from '../../torch/index.js';
import { type CropBox, cutSquare } from './crop.js';
import { soundBeside } from './layouts.js';
import { clipMotion } from './motion.js';
import { clipFile, clipSoundRate, type PrepareSettings } from './records.js';

/** Of H.264: finer than what looks like the original, since networks learn from it. */
const quality = 12;

/** Seconds by which sound and picture may differ in length without a remark. */
const slack = 0.1;

/** Which part of which video, and what was seen in it. */
export interface ClipSource {
  readonly video: string;
  /** Frames, `[from, end)`. */
  readonly from: number;
  readonly end: number;
  readonly box: CropBox;
  /** Of these frames. */
  readonly faces: readonly (Face | null)[];
}

/**
 * Writes `ID.npz`, `ID.wav` where there is sound, and `ID.mp4`, each whole.
 * @param note - told of sound that is damaged, which the clip's own remarks tell, too
 * @returns whether there is sound, and remarks
 */
export async function writeClip(
  folder: string,
  id: string,
  source: ClipSource,
  settings: PrepareSettings,
  note: (remark: string) => void,
): Promise<{ readonly sound: boolean; readonly notes: readonly string[] }> {
  const { fps, size } = settings;
  const notes: string[] = [];
  const frames = source.end - source.from;
  const damaged = (remark: string): void => {
    notes.push(remark);
    note(remark);
  };
  const sound = await soundOf(source, fps, notes, damaged);
  writeNumbers(clipFile(folder, id, 'npz'), source, settings);
  if (sound !== null) writeWav(clipFile(folder, id, 'wav'), { channels: [sound.samples], rate: sound.rate });
  const written = await writeVideo(clipFile(folder, id, 'mp4'), squares(source, settings), {
    fps,
    quality,
    ...(sound && { audio: sound }),
  });
  if (written.frames !== frames)
    throw new DataError(
      `${source.video}: expected ${frames} frames from ${source.from / fps} s on, got ${written.frames}`,
    );
  if (source.box.side < size) notes.push(`enlarged: the face's square has ${source.box.side} pixels, the clip ${size}`);
  return { sound: sound !== null, notes };
}

async function* squares({ video, from, end, box }: ClipSource, { fps, size }: PrepareSettings) {
  // Half a frame before the end, since times are rounded to the file's ticks.
  for await (const frame of readFrames(video, { fps, start: from / fps, end: (end - 0.5) / fps }))
    yield cutSquare(frame, box, size);
}

/** As long as the frames; null where there is none. */
async function soundOf(
  { video, from, end }: ClipSource,
  fps: number,
  notes: string[],
  damaged: (remark: string) => void,
): Promise<Audio | null> {
  const own = (await mediaInfo(video)).audio !== null;
  const beside = own ? null : soundBeside(video);
  if (!own && beside === null) {
    notes.push('no sound');
    return null;
  }
  const path = beside ?? video;
  const options = { start: from / fps, end: end / fps, rate: clipSoundRate, note: damaged };
  const { samples } = await readAudio(path, options);
  const wanted = Math.round((end / fps) * clipSoundRate) - Math.round((from / fps) * clipSoundRate);
  const lacking = (wanted - samples.length) / clipSoundRate;
  if (lacking > slack) notes.push(`the sound ends ${lacking.toFixed(2)} s before the picture: silence follows`);
  const whole = new Float32Array(wanted);
  whole.set(samples.subarray(0, wanted));
  return { samples: whole, rate: clipSoundRate };
}

function writeNumbers(path: string, { box, faces, end, from }: ClipSource, { size, fps }: PrepareSettings): void {
  const count = end - from;
  const scale = size / box.side;
  const seen = filled(faces);
  const landmarks = seen.map((face) =>
    face.landmarks.map((value, i) => (value - (i % 2 === 0 ? box.x : box.y)) * scale),
  );
  const placed = seen.map(({ expressions }, i) => ({ landmarks: landmarks[i]!, expressions }));
  const { weights, head, position, identity } = clipMotion(placed, size, fps);
  const rows = (of: (face: Face) => readonly number[]): Float32Array => Float32Array.from(seen.flatMap(of));
  const boxes = rows(({ box: { x, y, width, height } }) => [
    (x - box.x) * scale,
    (y - box.y) * scale,
    width * scale,
    height * scale,
  ]);
  scope(() => {
    saveNpz(path, {
      landmarks: tensor(joined(landmarks), { shape: [count, landmarkCount, 2] }),
      boxes: tensor(boxes, { shape: [count, 4] }),
      pose: tensor(
        rows(({ pose: { yaw, pitch, roll } }) => [yaw, pitch, roll]),
        { shape: [count, 3] },
      ),
      expressions: tensor(
        rows(({ expressions }) => expressionNames.map((name) => expressions[name])),
        {
          shape: [count, expressionNames.length],
        },
      ),
      found: tensor(
        Float32Array.from(faces, (face) => Number(face !== null)),
        { shape: [count] },
      ),
      weights: tensor(weights, { shape: [count, weights.length / count] }),
      head: tensor(head, { shape: [count, 3] }),
      position: tensor(position, { shape: [count, 3] }),
      identity: tensor(identity),
    });
  });
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}

/** Faces with none missing: between two that were found, what lies between them. The first and the last were found. */
function filled(faces: readonly (Face | null)[]): Face[] {
  const whole: Face[] = [];
  for (const [i, face] of faces.entries()) {
    if (face !== null) {
      whole.push(face);
      continue;
    }
    const after = faces.findIndex((later, j) => j > i && later !== null);
    whole.push(between(whole[i - 1]!, faces[after]!, 1 / (after - i + 1)));
  }
  return whole;
}

function between(a: Face, b: Face, share: number): Face {
  const mix = (x: number, y: number): number => x + (y - x) * share;
  const each = <T extends object>(x: T, y: T): T =>
    Object.fromEntries(
      Object.entries(x).map(([key, value]) => [key, mix(value as number, y[key as keyof T] as number)]),
    ) as T;
  return {
    box: each(a.box, b.box),
    score: mix(a.score, b.score),
    landmarks: a.landmarks.map((value, i) => mix(value, b.landmarks[i]!)),
    expressions: each(a.expressions, b.expressions),
    pose: each(a.pose, b.pose),
    interOcular: mix(a.interOcular, b.interOcular),
  };
}
