/** The thread of a replica of IRFD's training. */
import { keep } from '../../torch/index.js';
import { runReplica } from '../training/replica-thread.js';
import type { IrfdReplicaData } from './irfd-replica.js';
import { IrfdTrainer } from './irfd-trainer.js';

await runReplica<IrfdReplicaData>(({ config, faces, list }, given, replicas) => {
  const [pictures, drawn] = given.map(keep);
  const exchanges = list === null ? null : { list, pictures: drawn! };
  return new IrfdTrainer(config, { ...faces, pictures: pictures! }, exchanges, replicas);
});
