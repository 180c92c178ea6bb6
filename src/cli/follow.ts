// A run of the pipeline on a command line: how far it is, and what Ctrl-C leaves.
import { hasCheckpoint, type RunResult, readCheckpointState, type Trainer } from '../pipeline/index.js';
import { Progress } from '../run/index.js';
import { exitCodes, onInterrupt, say } from './report.js';

/**
 * A run to its end, with progress on stderr. Ctrl-C keeps a checkpoint and ends it.
 * @param again - the command that goes on
 */
export async function follow(run: Trainer, out: string, again: string): Promise<RunResult> {
  const progress = new Progress(process.stderr);
  let steps = 0;
  const release = onInterrupt(() => {
    progress.finish();
    const what = steps > 0 ? `with a checkpoint in ${out}/checkpoint` : 'before the first step';
    say(`headrace: stopping, ${what}; Ctrl-C again ends at once`);
    run.stop();
  });
  try {
    for await (const event of run) {
      if (event.type === 'step') steps = event.step;
      progress.update(event);
    }
    progress.finish();
    const result = await run.result;
    if (result.stopped) {
      sayStopped(out, again);
      process.exitCode = exitCodes.interrupted;
    }
    return result;
  } finally {
    progress.finish();
    release();
  }
}

/** What is kept of a run that was stopped, and how to go on. */
function sayStopped(out: string, again: string): void {
  if (!hasCheckpoint(out)) {
    say('headrace: stopped before the first step: there is no checkpoint, and nothing to go on from. Start it anew.');
    return;
  }
  say(`headrace: stopped after step ${readCheckpointState(out).step}; checkpoint in ${out}/checkpoint.`);
  say(`To go on: ${again}`);
}
