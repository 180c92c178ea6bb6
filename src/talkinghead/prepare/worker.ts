/** A thread that prepares videos, one after another, as they are sent to it. */
import { parentPort, workerData } from 'node:worker_threads';
import { FaceAnalyser } from '../../media/index.js';
import { factOf } from '../../media/truncated.js';
import { HeadraceError, setNumThreads } from '../../torch/index.js';
import type { PrepareSettings, VideoOutcome } from './records.js';
import { prepareVideo, type VideoTask } from './video.js';

export interface PrepareJob {
  readonly folder: string;
  readonly settings: PrepareSettings;
  /** Not 0: stop soon. */
  readonly stop: Int32Array;
}

/** `failed` is a video that cannot be read; `broken` is an error that would befall others, too. */
export type PrepareNotice =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly outcome: VideoOutcome }
  | { readonly kind: 'failed'; readonly task: VideoTask; readonly reason: string }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'broken'; readonly message: string; readonly code: string };

const { folder, settings, stop } = workerData as PrepareJob;
const post = (notice: PrepareNotice): void => parentPort!.postMessage(notice);
const shouldStop = (): boolean => Atomics.load(stop, 0) !== 0;

async function prepare(analyser: FaceAnalyser, task: VideoTask): Promise<void> {
  try {
    const outcome = await prepareVideo(task, { folder, settings, analyser, shouldStop });
    post(outcome === null ? { kind: 'stopped' } : { kind: 'done', outcome });
  } catch (error) {
    if (error instanceof HeadraceError && !isOfFolder(error)) {
      post({ kind: 'failed', task, reason: factOf(error).replaceAll(/\s*\n\s*/g, ' ') });
    } else broken(error);
  }
}

/** Whether what failed was writing, which would fail for every video. */
function isOfFolder(error: HeadraceError): boolean {
  return (
    error.message.includes(folder) ||
    (error.cause instanceof Error && 'syscall' in error.cause && /ENOSPC|EROFS|EDQUOT/.test(error.message))
  );
}

function broken(error: unknown): void {
  const { message, code } = error as { message: string; code?: string };
  post({ kind: 'broken', message, code: code ?? '' });
}

try {
  setNumThreads(1);
  const analyser = await FaceAnalyser.load();
  parentPort!.on('message', (task: VideoTask | null) => {
    if (task === null) parentPort!.close();
    else void prepare(analyser, task);
  });
  post({ kind: 'ready' });
} catch (error) {
  broken(error);
}
