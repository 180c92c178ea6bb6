/** The words and the files of a folder of prepared clips. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DataError } from '../../torch/index.js';
import type { ClipLabels, LayoutName } from './layouts.js';
import type { SegmentRules } from './segments.js';

/** How clips are made; the same for all of a folder. */
export interface PrepareSettings extends SegmentRules {
  /** Frames a second. */
  readonly fps: number;
  /** Pixels of the clips' sides. */
  readonly size: number;
  /** Null: each file's own, by its name. */
  readonly layout: LayoutName | null;
}

/** A clip: one line of `clips.jsonl`. */
export interface ClipRecord extends ClipLabels {
  /** Its name: `clips/ID.mp4`, `clips/ID.npz`, and with sound `clips/ID.wav`. */
  readonly id: string;
  /** The video that it is from, as it was given. */
  readonly video: string;
  /** Seconds of that video. */
  readonly from: number;
  readonly to: number;
  readonly frames: number;
  /** Pixels of the video: the square that was cut out. */
  readonly square: readonly [x: number, y: number, side: number];
  readonly sound: boolean;
  /** Frames in which the face was not found; their numbers are filled in from their neighbours'. */
  readonly missing: number;
  /** Most faces that were seen at once. */
  readonly faces: number;
  readonly notes: readonly string[];
}

/** A part of a video, or a whole one, that became no clip: one line of `rejected.jsonl`. */
export interface Rejection {
  readonly video: string;
  /** Seconds; null for the whole video. */
  readonly from: number | null;
  readonly to: number | null;
  readonly reason: string;
}

/** What became of a video: one line of `videos.jsonl`, written when it is done. */
export interface VideoOutcome {
  readonly video: string;
  /** Begins the names of its clips. */
  readonly id: string;
  /** By which a changed file is known. */
  readonly bytes: number;
  readonly modified: number;
  readonly clips: readonly ClipRecord[];
  readonly rejected: readonly Rejection[];
  /** What is damaged in it. */
  readonly notes?: readonly string[];
}

/** Samples a second of the clips' sound. */
export const clipSoundRate = 16000;

export const clipFiles = {
  settings: 'prepare.json',
  videos: 'videos.jsonl',
  clips: 'clips.jsonl',
  rejected: 'rejected.jsonl',
  sheet: 'sheet.jpg',
  readme: 'README.md',
  folder: 'clips',
} as const;

export const clipFile = (folder: string, id: string, ending: 'mp4' | 'wav' | 'npz'): string =>
  join(folder, clipFiles.folder, `${id}.${ending}`);

/** One JSON object a line. */
export function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/**
 * The rows of a file of JSON lines; none where there is no file.
 * @param torn - whether the last line may be a part: of a file that is appended to, when a process ended while it wrote
 * @throws DataError naming the line that is no JSON
 */
export function readJsonLines<T>(path: string, torn = false): T[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  const last = lines.pop();
  if (last !== '' && !torn) lines.push(last!);
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as T;
    } catch (cause) {
      throw new DataError(`${path}, line ${i + 1}: expected a JSON object, got ${line.slice(0, 40)}`, { cause });
    }
  });
}

/** What a folder of clips says of itself. */
export function readmeOf({ fps, size, margin, minFrames, maxFrames, minSide }: PrepareSettings): string {
  return `# Prepared clips

Made by \`headrace talk prepare\`. \`PreparedClips.open(FOLDER)\` of \`headrace/talkinghead\` reads it.

Each line of \`clips.jsonl\` is a clip, a JSON object:

| field | what it is |
| --- | --- |
| \`id\` | its name: \`clips/ID.mp4\`, \`clips/ID.npz\` and, with sound, \`clips/ID.wav\` |
| \`video\`, \`from\`, \`to\` | the video it is from, and which seconds of it |
| \`frames\` | how many it has, at ${fps} a second |
| \`square\` | x, y and side of what was cut out, in the video's pixels: one square for the whole clip |
| \`sound\` | whether there is a \`.wav\` |
| \`missing\` | frames without a face, filled in from their neighbours |
| \`faces\` | most faces that were seen at once; the clip is of the one that stands out most |
| \`layout\`, \`person\`, \`sex\`, \`emotion\`, \`level\`, \`view\`, \`text\`, \`more\` | what the video's name says, null where it does not |
| \`notes\` | what else there is to know |

- \`.mp4\`: ${size} x ${size} pixels, ${fps} frames a second (H.264), with the sound (AAC) for people to hear.
- \`.wav\`: ${clipSoundRate} samples a second, mono, 16 bits; exactly as long as the frames.
- \`.npz\`, float32 in the order of frames, pixels of the clip with (0, 0) at the upper left corner of the first:
  \`landmarks\` [F, 68, 2]; \`boxes\` [F, 4] (x, y, width, height); \`pose\` [F, 3] as the face analysis reads it (yaw, pitch, roll in degrees,
  as the viewer sees them); \`expressions\` [F, 7] (${'neutral, happy, sad, angry, fearful, disgusted, surprised'}); \`found\` [F], 1 where the
  face was found; \`weights\` [F, 52], ARKit's, of the face model fitted to the landmarks, with its \`head\` [F, 3] (yaw, pitch, roll),
  \`position\` [F, 3] (cm) and \`identity\`, one person for the whole clip.

A clip ends where the scene changes, the face is lost for more than 0.2 s or overlaps its first place by less than a quarter, and after
${maxFrames} frames. The square is that around the face in all frames and ${100 * margin} % on each side. Clips of less than ${minFrames} frames,
with squares of less than ${minSide} pixels, or that would have to be moved by more than a fifth of their side to lie in the picture, are
rejected: \`rejected.jsonl\` says why.

\`videos.jsonl\` is the journal, by which the same command goes on where it was stopped; \`prepare.json\` has the settings; \`sheet.jpg\` shows
the middle frame of clips with their landmarks, each with its line in \`clips.jsonl\`.
`;
}
