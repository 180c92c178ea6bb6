/** Performances as tracks, and tracks as performances. */
import { ConfigError } from '../../torch/index.js';
import { arkitCount } from '../face/index.js';
import type { MotionFrame, SpeechFrame } from './frame.js';
import type { Performer } from './performer.js';
import { MotionTrack } from './track.js';

/**
 * A performance as a track, which `save` writes for other tools. Its pose is from where the head was photographed.
 * @param speech - the frames of speech; or how many frames of silence
 * @throws ConfigError for no frames
 */
export function recordMotion(performer: Performer, speech: Iterable<SpeechFrame | null> | number): MotionTrack {
  const frames: MotionFrame[] = [];
  for (const said of typeof speech === 'number' ? silent(speech) : speech) frames.push(performer.next(said));
  if (frames.length === 0) throw new ConfigError('recordMotion: expected at least one frame of speech, got none');
  const all = (width: number, row: (frame: MotionFrame) => ArrayLike<number>): Float32Array => {
    const values = new Float32Array(frames.length * width);
    for (const [i, frame] of frames.entries()) values.set(row(frame), i * width);
    return values;
  };
  const [first] = frames as [MotionFrame];
  return new MotionTrack({
    fps: performer.fps,
    weights: all(arkitCount, ({ weights }) => weights),
    pose: all(3, ({ pose }) => [pose.yaw, pose.pitch, pose.roll]),
    ...(first.position ? { position: all(3, ({ position = [0, 0, 0] }) => position) } : {}),
    ...(first.gaze ? { gaze: all(2, ({ gaze }) => [gaze!.yaw, gaze!.pitch]) } : {}),
  });
}

function* silent(frames: number): Generator<null> {
  for (let i = 0; i < frames; i++) yield null;
}

/** The frames of a track, as they are. */
export function* motionFrames(track: MotionTrack): Generator<MotionFrame> {
  for (let i = 0; i < track.frames; i++) {
    const [yaw, pitch, roll] = [...track.pose.subarray(3 * i, 3 * i + 3)] as [number, number, number];
    const weights = track.weights.slice(i * arkitCount, (i + 1) * arkitCount);
    yield {
      weights,
      pose: { yaw, pitch, roll },
      ...(track.position
        ? { position: [...track.position.subarray(3 * i, 3 * i + 3)] as [number, number, number] }
        : {}),
      ...(track.gaze ? { gaze: { yaw: track.gaze[2 * i]!, pitch: track.gaze[2 * i + 1]! } } : {}),
    };
  }
}
