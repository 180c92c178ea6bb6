import { FaceAnalyser, mediaInfo } from '../media/index.js';
import { fitPhotographs, type MotionTrack, trackMotion } from '../talkinghead/index.js';
import { interruptible, perSecond, ReadingProgress } from './reading.js';
import { checkEnding, checkFolderOf, inFlags, print, say, withTruncatedAllowed } from './report.js';
import type { TalkTrackFlags } from './talk-program.js';

/** `headrace talk track`. */
export async function trackTalk(video: string, flags: TalkTrackFlags): Promise<void> {
  const { output, fps, start, end, relative, raw, photo = [], face, allowTruncated, json } = flags;
  checkEnding('--output', output, ['.json', '.csv']);
  checkFolderOf('--output', output);
  const progress = new ReadingProgress('following the face:', process.stderr, Date.now, perSecond('frames'));
  const notes: string[] = [];
  const note = (remark: string): void => {
    notes.push(remark);
    progress.finish();
    say(`note: ${inFlags(remark)}`);
  };
  const follow = async (): Promise<MotionTrack> => {
    await mediaInfo(video); // which tells what is no video before photographs are fitted
    const analyser = await FaceAnalyser.load();
    const fits = photo.length > 0 ? await fitPhotographs(photo, { analyser, note }) : [];
    return trackMotion(video, {
      analyser,
      note,
      relative,
      smooth: !raw,
      allowTruncated,
      ...(fits[0] && { identity: fits[0].identity }),
      ...(face !== undefined && { face }),
      ...(fps !== undefined && { fps }),
      ...(start !== undefined && { start }),
      ...(end !== undefined && { end }),
      onProgress: (done, total) => progress.update(done, total),
    });
  };
  const track = await interruptible(progress, 'following the face', () => withTruncatedAllowed(follow));
  track.save(output);
  const ranges = poseRanges(track);
  const { frames, duration } = track;
  const result = { video, out: output, frames, fps: track.fps, duration, pose: ranges, notes };
  const shown = Object.entries(ranges).map(([name, [low, high]]) => `${name} ${low.toFixed(0)} to ${high.toFixed(0)}`);
  print(
    json,
    result,
    `${frames} frames at ${Number(track.fps.toFixed(3))} a second, ${shown.join(', ')} degrees; written to ${output}`,
  );
}

/** Lowest and highest of each angle, in degrees. */
function poseRanges({ pose }: MotionTrack): Record<'yaw' | 'pitch' | 'roll', [number, number]> {
  const range = (axis: number): [number, number] => {
    const values = Array.from(pose).filter((_, i) => i % 3 === axis);
    return [Math.min(...values), Math.max(...values)];
  };
  return { yaw: range(0), pitch: range(1), roll: range(2) };
}
