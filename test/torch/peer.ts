/** A worker thread that uses headrace/torch, driven by commands. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export type Command =
  | { do: 'put'; queue: number; meta: unknown; timeoutMs?: number }
  | { do: 'putAll'; queue: number; count: number }
  | { do: 'get'; queue: number; timeoutMs?: number }
  | { do: 'fill'; queue: number; value: number }
  | { do: 'drop'; queue: number }
  | { do: 'hold'; count: number }
  | { do: 'threads'; set?: number };

export type Reply = { value: unknown } | { error: { name: string; message: string; code: string | undefined } };

export class Peer {
  readonly #worker = new Worker(new URL('./peer-worker.js', import.meta.url));

  /** Sends one command; the next may follow when this one is answered. */
  async tell(command: Command): Promise<unknown> {
    this.#worker.postMessage(command);
    const [reply] = (await once(this.#worker, 'message')) as [Reply];
    if ('error' in reply) throw Object.assign(new Error(reply.error.message), reply.error);
    return reply.value;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Runs `body` with that many peers that have started and answer, and stops them whatever happens. */
export async function withPeers(count: number, body: (...peers: Peer[]) => Promise<void>): Promise<void> {
  const peers = Array.from({ length: count }, () => new Peer());
  try {
    await Promise.all(peers.map((peer) => peer.tell({ do: 'threads' })));
    await body(...peers);
  } finally {
    await Promise.all(peers.map((peer) => peer.stop()));
  }
}
