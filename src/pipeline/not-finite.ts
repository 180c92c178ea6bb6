/** The error for a loss that is not a number: why, as far as the stage can tell, and what to do. */
import { HeadraceError, scope, type Tensor } from '../torch/index.js';
import type { Stage } from './stage.js';

/** The code of an error for which not the stage is to blame, but what came into it. */
export const CAME_NOT_FINITE = 'NAN_INPUT';

/**
 * @param fact - what was found, as a sentence
 * @param inputs - what came into the stage; null where that is no longer known
 * @param otherwise - how to go on in spite of it; null where there is no way
 */
export function notFiniteError(
  fact: string,
  stage: Stage,
  inputs: readonly Tensor[] | null,
  otherwise: string | null,
): HeadraceError {
  const came = inputs !== null && stage.index > 0 && !inputs.every(isFiniteThroughout);
  const reason = came
    ? 'What came into it is not finite, so look for such values in the data and in the stages before.'
    : likelyReason(stage);
  const message = [fact, reason, ...(otherwise === null ? [] : [otherwise])].join(' ');
  return new HeadraceError(message, { code: came ? CAME_NOT_FINITE : 'NAN' });
}

/** Names of the tensors that are not finite throughout. */
export function namesNotFinite(tensors: Iterable<readonly [name: string, tensor: Tensor]>): string[] {
  return [...tensors].flatMap(([name, tensor]) => (isFiniteThroughout(tensor) ? [] : [name]));
}

function isFiniteThroughout(tensor: Tensor): boolean {
  return scope(() => tensor.isfinite().all().item()) === 1;
}

function likelyReason(stage: Stage): string {
  const [first, ...others] = stage.notFinite();
  if (first === undefined) {
    const before = stage.index > 0 ? ', or what the stages before give' : '';
    return `Its weights are finite, so look for such values in the data${before}; or lower the learning rate.`;
  }
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const batches = /running_(mean|var)$/.test(first) ? ', or a batch with one value for each channel' : '';
  return `Not finite by now: ${first}${more}. Most likely the learning rate is too high${batches}: begin again.`;
}
