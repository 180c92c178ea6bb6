/** The error for a loss that is not a number: why, as far as the stage can tell, and what to do. */
import { HeadraceError } from '../torch/index.js';
import type { Stage } from './stage.js';

/** @param fact - what was found, as a sentence */
export function notFiniteError(fact: string, stage: Stage): HeadraceError {
  const message = `${fact} ${likelyReason(stage)} allowNaN (--allow-nan) goes on in spite of it`;
  return new HeadraceError(message, { code: 'NAN' });
}

function likelyReason(stage: Stage): string {
  const [first, ...others] = stage.notFinite?.() ?? [];
  if (first === undefined) {
    const before = stage.index > 0 ? ', or what the stages before give' : '';
    return `Its weights are finite, so look for such values in the data${before}; or lower the learning rate.`;
  }
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  const batches = /running_(mean|var)$/.test(first) ? ', or a batch with one value for each channel' : '';
  return `Not finite by now: ${first}${more}. Most likely the learning rate is too high${batches}: begin again.`;
}
