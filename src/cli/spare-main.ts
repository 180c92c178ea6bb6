// `node spare-main.js PROGRAM WORDS..` is what `node PROGRAM WORDS..` would be, but has loaded what every rank needs when it is told
// which one it is.

import { once } from 'node:events';
import { setPriority } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, parentPort } from 'node:worker_threads';
import { becomeRank } from './spare.js';

const LOW_PRIORITY = 10;

/**
 * Loads libtorch on a thread of low priority, as the ranks are at work meanwhile. A whole process could not take its priority back,
 * and is to be as quick as the others once it is a rank.
 */
async function loadLibtorch(): Promise<void> {
  const { startThread } = await import('../torch/threads.js');
  const thread = startThread(new URL(import.meta.url), {});
  await once(thread, 'message');
  await import('../torch/native.js'); // before the thread ends, and what it has loaded with it
  await thread.terminate();
}

async function beSpare(program: string, verb: string | undefined): Promise<void> {
  process.on('disconnect', () => process.exit()); // the launcher is gone
  await loadLibtorch();
  await import('../pipeline/index.js');
  // `headrace train` asks by itself, when it has read its data.
  const asks = program === fileURLToPath(new URL('./main.js', import.meta.url)) && verb === 'train';
  if (!asks) await becomeRank();
  await import(pathToFileURL(program).href);
}

if (isMainThread) {
  process.argv.splice(1, 1);
  await beSpare(process.argv[1]!, process.argv[2]);
} else {
  setPriority(LOW_PRIORITY);
  await import('../torch/native.js');
  parentPort!.postMessage(null);
}
