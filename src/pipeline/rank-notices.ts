/** The thread of rank 0 that hears what the workers of another rank tell, and passes it on as theirs. */
import { ProcessGroup } from '../distributed/index.js';
import type { Tensor } from '../torch/index.js';
import { markEngineThread } from '../torch/threads.js';
import { jobOf } from './kept-threads.js';
import { hearNotices } from './lasting-notices.js';
import { postTo } from './post.js';
import { fromRank, hear } from './rank-messages.js';
import { recovers } from './recovery.js';
import type { EndNotice } from './threads.js';

export interface RankNoticesJob {
  readonly group: number;
  /** Number of the run. */
  readonly number: number;
  readonly peer: number;
  readonly told: number;
  readonly timeoutMs: number;
}

const job = jobOf<RankNoticesJob>();
const post = postTo<EndNotice>(job.told, job.timeoutMs);

function listen({ group: id, number, peer }: RankNoticesJob): void {
  const group = ProcessGroup.attach(id);
  const pass = (notice: EndNotice, tensors: readonly Tensor[] = []): void =>
    post(notice.kind === 'failed' ? { ...notice, message: `rank ${peer}: ${notice.message}` } : notice, tensors);
  if (recovers(group)) {
    hearNotices(group, peer, pass);
    return;
  }
  const border = fromRank({ group, number }, peer);
  for (;;) {
    const { value, tensors } = hear(border);
    const notice = value as EndNotice;
    if (notice.kind === 'finished') border.close();
    pass(notice, tensors);
    for (const tensor of tensors) tensor.dispose();
    if (notice.kind === 'failed') border.close(); // it waits for that before it goes
    if (notice.kind === 'finished' || notice.kind === 'failed') return;
  }
}

markEngineThread();
try {
  listen(job);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  post({ kind: 'failed', stage: -1, action: null, step: null, message });
}
