/** What makes a replica of the second stage's training. */
import type { Tensor } from '../../../torch/index.js';
import type { ReplicaMaker } from '../../training/crew.js';
import type { SpeakClip, SpeakClips } from '../clips/speak-clips.js';
import type { TalkingConfig } from './talking-config.js';

export interface TalkingReplicaData {
  readonly config: TalkingConfig;
  readonly clips: Omit<SpeakClips, 'pictures'>;
  /** Their folder, for messages. */
  readonly folder: string;
}

export function talkingReplica(
  config: TalkingConfig,
  { pictures, ...clips }: SpeakClips,
  heard: Tensor,
  folder: string,
): ReplicaMaker {
  // What is said has been heard.
  const silent = (some: readonly SpeakClip[]): SpeakClip[] =>
    some.map((clip) => ({ ...clip, samples: new Float32Array(0) }));
  const data: TalkingReplicaData = { config, clips: { ...clips, train: silent(clips.train), test: [] }, folder };
  return { module: new URL('./talking-replica-thread.js', import.meta.url).href, data, tensors: [pictures, heard] };
}
