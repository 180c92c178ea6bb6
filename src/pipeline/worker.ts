/**
 * The thread of one worker of any program: makes its stages, opens their channels and runs the stage loop.
 */
import { Queue, QueueError, StageError, setNumThreads, type Tensor } from '../torch/index.js';
import { markEngineThread } from '../torch/threads.js';
import { messageWithPlace } from '../torch/user-errors.js';
import { jobOf } from './kept-threads.js';
import { StageLoop, type Station } from './loop.js';
import { postTo } from './post.js';
import type { Program, ProgramModule } from './program.js';
import { Channels, eachLink } from './transport.js';
import type { ChannelRef, ThreadJob } from './wiring.js';

function stationsOf(job: ThreadJob, { stages }: Program, channels: Channels): Station[] {
  return job.stations.map((station, i) => {
    const { siblings, ...ends } = eachLink(station, (ref: ChannelRef) => channels.open(ref));
    const replicas = siblings ? channels.replicas(siblings) : null;
    const stage = stages[i]!;
    if (replicas) stage.join?.(replicas);
    return { stage, replicas, ...ends };
  });
}

let program: Program | null = null;

/** Tells of an error. It is the run's first word of it: whether the program can do with it what it wants does not matter. */
function fail(error: unknown, cause: unknown): void {
  const { stage, action, step } =
    error instanceof StageError ? error : { stage: job.stations[0]!.index, action: null, step: null };
  const message = error instanceof StageError ? error.message : messageWithPlace(error);
  const code = (cause as { code?: string } | null | undefined)?.code;
  post({ kind: 'failed', stage, action, step, message, code });
  try {
    program?.failed?.({ stage, action, step, message });
  } catch {
    // Told already, by what failed first.
  }
}

markEngineThread();
const job = jobOf<ThreadJob>();
const post = postTo<object>(job.told, job.timeoutMs);
try {
  setNumThreads(job.config.threads);
  const channels = new Channels(job.timeoutMs);
  const module = (await import(job.program)) as ProgramModule;
  const { tensors } = Queue.attach<null>(job.tensors).get(job.timeoutMs);
  program = await module.program(job, post, tensors as Tensor[]);
  new StageLoop(stationsOf(job, program, channels), program.context).run();
  channels.close();
  program.close?.();
  post({ kind: 'finished' });
  channels.serve();
} catch (error) {
  // A queue that was closed under it means that another stage failed first, and has said so.
  const cause = error instanceof StageError ? error.cause : error;
  if (!(cause instanceof QueueError && cause.code === 'QUEUE_CLOSED')) fail(error, cause);
}
