/** The fit itself: one person's shape, and place and expression in each of one or more photographs. */
import { solveBounded } from './bounded.js';
import { type Contour, contourCandidates, findContour } from './contour.js';
import { meanPerson } from './mean-person.js';
import { type FitRig, fittedIdentity } from './rig.js';
import {
  cameraOf,
  firstState,
  landmarkShapes,
  placeCount,
  poseOf,
  type View,
  type ViewState,
  viewEquations,
  viewUnknowns,
  weightsOf,
} from './view.js';

/** What was found of one person in several photographs. */
export interface ViewsFit {
  /** Coefficients of `FaceModel.identity`. */
  readonly identity: Float64Array;
  readonly states: readonly ViewState[];
  readonly contours: readonly Contour[];
}

/** How far people are from the mean one; below 1, lest a person's shape takes what is expression. */
const personSigma = 0.7;

const mostSteps = 25;
/** Of the first steps, while the jaw line still slides far, not all is believed. */
const [carefulSteps, carefulShare] = [4, 0.7];
/** A step in which no point moves by more than this is the last: pixels as a share of the eyes' distance. */
const settled = 1e-4;

/**
 * Fits one person to several photographs by Gauss-Newton: the person's shape, near the mean person's, and for each photograph
 * place, and expressions between 0 and 1. The jaw line's vertices are chosen anew in each step.
 */
export function fitViews(rig: FitRig, views: readonly View[]): ViewsFit {
  const identity = Float64Array.from(meanPerson);
  const states = views.map((view) => firstState(rig, view));
  const candidates = contourCandidates(rig.model);
  const bases = views.map(({ known }) => rig.model.shape({ weights: known }));
  const contours = (): Contour[] =>
    views.map((view, v) => contourIn(rig, candidates, view, Float32Array.from(identity), states[v]!));
  let lines = contours();
  for (let step = 0; step < mostSteps; step++) {
    const parts = views.map((view, v) => {
      const vertices = landmarkVertices(rig, lines[v]!);
      const shapes = landmarkShapes(rig, vertices, bases[v]!, fittedIdentity);
      return viewEquations(view, shapes, lines[v]!, identity, states[v]!);
    });
    const { normal, gradient } = joined(parts, identity);
    const change = solveBounded(normal, gradient, ...bounds(states));
    const share = step < carefulSteps ? carefulShare : 1;
    const largest = apply(change, share, identity, states);
    if (step >= carefulSteps && largest < settled) break;
    lines = contours();
  }
  return { identity, states, contours: lines };
}

/** The jaw line as a view's state shows it. */
export function contourIn(
  rig: FitRig,
  candidates: Uint32Array,
  view: View,
  identity: Float32Array,
  state: ViewState,
): Contour {
  const face = rig.model.shape({ identity, weights: weightsOf(view, state) });
  return findContour(rig.model, candidates, face, cameraOf(view, state), poseOf(state), view.landmarks, view.eyes);
}

/** The 68 vertices: where the jaw line slid to, and the fixed ones. */
export function landmarkVertices({ model }: FitRig, { vertices }: Contour): Uint32Array {
  const all = Uint32Array.from(model.landmarks);
  all.set(vertices);
  return all;
}

/** The equations of all views: the person's unknowns first, which they share, then those of each view. */
function joined(
  parts: readonly { readonly normal: Float64Array; readonly gradient: Float64Array }[],
  identity: Float64Array,
): { normal: Float64Array; gradient: Float64Array } {
  const people = identity.length;
  const n = people + parts.length * viewUnknowns;
  const normal = new Float64Array(n * n);
  const gradient = new Float64Array(n);
  for (const [v, part] of parts.entries()) {
    const width = part.gradient.length;
    const place = (i: number): number => (i < people ? i : i + v * viewUnknowns);
    for (let i = 0; i < width; i++) {
      gradient[place(i)]! += part.gradient[i]!;
      for (let j = 0; j <= i; j++) normal[place(i) * n + place(j)]! += part.normal[i * width + j]!;
    }
  }
  for (let k = 0; k < people; k++) {
    normal[k * n + k]! += 1 / personSigma ** 2;
    gradient[k]! += (identity[k]! - meanPerson[k]!) / personSigma ** 2;
  }
  return { normal, gradient };
}

/** How far each unknown may go: expressions stay between 0 and 1, the rest is free. */
function bounds(states: readonly ViewState[]): [Float64Array, Float64Array] {
  const n = fittedIdentity + states.length * viewUnknowns;
  const [low, high] = [new Float64Array(n).fill(-Infinity), new Float64Array(n).fill(Infinity)];
  for (const [v, state] of states.entries()) {
    for (let k = placeCount; k < viewUnknowns; k++) {
      const at = fittedIdentity + v * viewUnknowns + k;
      low[at] = -state[k]!;
      high[at] = 1 - state[k]!;
    }
  }
  return [low, high];
}

/** Makes a step; returns how far it went, roughly, in distances of the eyes. */
function apply(change: Float64Array, share: number, identity: Float64Array, states: readonly ViewState[]): number {
  let largest = 0;
  for (let k = 0; k < identity.length; k++) {
    identity[k]! += share * change[k]!;
    largest = Math.max(largest, Math.abs(change[k]!) / 10);
  }
  for (const [v, state] of states.entries()) {
    const from = identity.length + v * viewUnknowns;
    for (let k = 0; k < viewUnknowns; k++) {
      state[k]! += share * change[from + k]!;
      if (k >= placeCount) {
        state[k] = Math.min(1, Math.max(0, state[k]!));
        largest = Math.max(largest, Math.abs(change[from + k]!) / 10);
      }
    }
  }
  return largest;
}
