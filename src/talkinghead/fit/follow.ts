/** The fit of a frame of a person whose shape is known, from where the frame before was. */
import { solveBounded } from './bounded.js';
import type { Contour } from './contour.js';
import { contourIn, landmarkVertices } from './fit-views.js';
import { type FitRig, fittedNames } from './rig.js';
import { landmarkShapes, placeCount, type View, type ViewState, viewEquations, viewUnknowns } from './view.js';

const [firstSteps, laterSteps] = [12, 3];

const nobody = new Float64Array();

/**
 * Gauss-Newton over place and expressions.
 * @param identity - of the person
 * @param state - of the frame before, or a first one; not changed
 * @param fresh - whether it is a first one, from which it may be far
 */
export function followState(
  rig: FitRig,
  candidates: Uint32Array,
  identity: Float32Array,
  view: View,
  state: ViewState,
  fresh: boolean,
): { state: ViewState; contour: Contour } {
  const found = state.slice();
  const base = rig.model.shape({ identity, weights: view.known });
  const low = new Float64Array(viewUnknowns).fill(-Infinity);
  const high = new Float64Array(viewUnknowns).fill(Infinity);
  let contour: Contour | null = null;
  for (let step = 0; step < (fresh ? firstSteps : laterSteps); step++) {
    // From frame to frame the jaw line's vertices hardly change within the steps.
    if (fresh || contour === null) contour = contourIn(rig, candidates, view, identity, found);
    const shapes = landmarkShapes(rig, landmarkVertices(rig, contour), base, 0);
    const { normal, gradient } = viewEquations(view, shapes, contour, nobody, found);
    for (let k = 0; k < fittedNames.length; k++) {
      low[placeCount + k] = -found[placeCount + k]!;
      high[placeCount + k] = 1 - found[placeCount + k]!;
    }
    const change = solveBounded(normal, gradient, low, high);
    for (let k = 0; k < viewUnknowns; k++) found[k]! += change[k]!;
    for (let k = placeCount; k < viewUnknowns; k++) found[k] = Math.min(1, Math.max(0, found[k]!));
  }
  return { state: found, contour: contour! };
}
