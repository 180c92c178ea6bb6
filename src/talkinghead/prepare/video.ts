/** One video to its clips. */
import { statSync } from 'node:fs';
import type { FaceAnalyser } from '../../media/index.js';
import { writeClip } from './clip.js';
import type { CropBox } from './crop.js';
import { type ClipLabels, layoutLabels } from './layouts.js';
import { lookAt, type OtherFaces, type VideoLook } from './look.js';
import type { ClipRecord, PrepareSettings, Rejection, VideoOutcome } from './records.js';
import { findSegments, type Segment } from './segments.js';

export interface VideoTask {
  readonly path: string;
  /** With the folders that layouts are told by. */
  readonly name: string;
  /** Begins the names of its clips. */
  readonly id: string;
}

/** What is the same for all videos. */
export interface VideoSetting {
  /** The folder of clips. */
  readonly folder: string;
  readonly settings: PrepareSettings;
  readonly analyser: FaceAnalyser;
  readonly shouldStop: () => boolean;
}

/**
 * Makes a video's clips.
 * @returns null when it was asked to stop: clips that were written are made again
 * @throws DataError for a video that cannot be read
 */
export async function prepareVideo(task: VideoTask, setting: VideoSetting): Promise<VideoOutcome | null> {
  const { folder, settings, analyser, shouldStop } = setting;
  const { size: bytes, mtimeMs: modified } = statSync(task.path);
  const notes: string[] = [];
  const note = (remark: string): void => void notes.push(remark);
  const outcome = { video: task.path, id: task.id, bytes, modified, notes };
  const look = await lookAt(task.path, settings.fps, analyser, shouldStop, note);
  if (look === null) return null;
  const seen = look.faces.map((face, i) => ({ box: face?.box ?? null, cut: look.cuts[i]! }));
  const segments = findSegments(seen, settings.fps, look, settings);
  if (segments.length === 0) {
    const reason = `no face was found in any of ${look.faces.length} frames`;
    return { ...outcome, clips: [], rejected: [{ video: task.path, from: null, to: null, reason }] };
  }
  const labels = layoutLabels(task.name, settings.layout ?? undefined);
  const [clips, rejected]: [ClipRecord[], Rejection[]] = [[], []];
  for (const segment of segments) {
    if (shouldStop()) return null;
    const reason = segment.reason ?? crowded(look, segment, segment.box!, settings.fps);
    const place = { video: task.path, from: segment.from / settings.fps, to: segment.end / settings.fps };
    if (reason !== null) {
      rejected.push({ ...place, reason });
      continue;
    }
    const id = `${task.id}-${String(clips.length).padStart(2, '0')}`;
    clips.push(await makeClip(folder, id, task.path, look, segment, settings, labels, note));
  }
  return { ...outcome, clips, rejected };
}

async function makeClip(
  folder: string,
  id: string,
  video: string,
  look: VideoLook,
  { from, end, box }: Segment,
  settings: PrepareSettings,
  labels: ClipLabels,
  note: (remark: string) => void,
): Promise<ClipRecord> {
  const { fps } = settings;
  const faces = look.faces.slice(from, end);
  const { sound, notes } = await writeClip(folder, id, { video, from, end, box: box!, faces }, settings, note);
  const most = Math.max(1, ...othersIn(look, from, end).map(({ boxes }) => 1 + boxes.length));
  return {
    id,
    video,
    from: from / fps,
    to: end / fps,
    frames: end - from,
    square: [box!.x, box!.y, box!.side],
    sound,
    missing: faces.filter((face) => face === null).length,
    faces: most,
    ...labels,
    notes: most > 1 ? [`${most} faces at once: the clip is of the one that stands out most`, ...notes] : notes,
  };
}

function othersIn({ others }: VideoLook, from: number, end: number): OtherFaces[] {
  return others.filter(({ frame }) => frame >= from && frame < end);
}

/** Whether somebody else's face is in the square, which a network would take for the speaker's. */
function crowded(look: VideoLook, { from, end }: Segment, { x, y, side }: CropBox, fps: number): string | null {
  for (const { frame, boxes } of othersIn(look, from, end)) {
    const inside = boxes.some((box) => {
      const [cx, cy] = [box.x + box.width / 2, box.y + box.height / 2];
      return cx > x && cx < x + side && cy > y && cy < y + side;
    });
    if (inside) return `two faces: another one is in the square at ${(frame / fps).toFixed(2)} s (margin)`;
  }
  return null;
}
