/** The thread of a replica of the second stage's training. */
import { keep } from '../../../torch/index.js';
import { runReplica } from '../../training/replica-thread.js';
import { loadIrfd } from '../irfd-run.js';
import { judgesOf, startOf } from './talking-base.js';
import type { TalkingReplicaData } from './talking-replica.js';
import { TalkingTrainer } from './talking-trainer.js';

await runReplica<TalkingReplicaData>(({ config, clips: rest, folder }, given, replicas) => {
  const [pictures, heard] = given.map(keep);
  const clips = { ...rest, pictures: pictures! };
  const { model, config: shape } = loadIrfd(config.irfd);
  const judges = judgesOf(config, model, clips.fps, folder);
  return new TalkingTrainer(config, { clips, heard: heard!, coder: startOf(config, model, shape), judges }, replicas);
});
