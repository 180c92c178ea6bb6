/** What makes a replica of IRFD's training. */
import type { ReplicaMaker } from '../training/crew.js';
import type { ExactExchange, ExactExchanges } from './exchanges.js';
import type { Faces } from './faces.js';
import type { IrfdConfig } from './irfd-config.js';

export interface IrfdReplicaData {
  readonly config: IrfdConfig;
  readonly faces: Omit<Faces, 'pictures'>;
  readonly list: readonly ExactExchange[] | null;
}

export function irfdReplica(config: IrfdConfig, faces: Faces, exchanges: ExactExchanges | null): ReplicaMaker {
  const { pictures, ...rest } = faces;
  const data: IrfdReplicaData = { config, faces: rest, list: exchanges?.list ?? null };
  const tensors = exchanges === null ? [pictures] : [pictures, exchanges.pictures];
  return { module: new URL('./irfd-replica-thread.js', import.meta.url).href, data, tensors };
}
