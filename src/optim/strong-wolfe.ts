/** A line search for the strong Wolfe conditions (Nocedal and Wright, Numerical Optimization, 3.5), as PyTorch has it. */
import type { Tensor } from '../torch/index.js';

/** A place on the line: how far, the loss there, its gradient, and its slope along the line. */
export interface Point {
  readonly t: number;
  readonly loss: number;
  readonly gradient: Tensor;
  readonly slope: number;
}

const SUFFICIENT_DECREASE = 1e-4;
const CURVATURE = 0.9;
const LEAST_CHANGE = 1e-9;
const MOST_EVALUATIONS = 25;

type Bracket = [Point, Point];

/**
 * Looks for a place of sufficient decrease and small slope.
 * @param evaluate - the line at `t`
 * @param start - the line at 0, where it goes down
 * @param first - the place to try first
 * @param reach - the greatest change of any parameter from 0 to 1
 */
export function strongWolfe(
  evaluate: (t: number) => Point,
  start: Point,
  first: number,
  reach: number,
): { readonly found: Point; readonly evaluations: number } {
  let evaluations = 0;
  const at = (t: number): Point => {
    evaluations += 1;
    return evaluate(t);
  };
  const tooHigh = ({ t, loss }: Point) => loss > start.loss + SUFFICIENT_DECREASE * t * start.slope;
  const flat = ({ slope }: Point) => Math.abs(slope) <= -CURVATURE * start.slope;

  /** Goes on until there is a place as wanted, or two with one between them. */
  const bracket = (): Point | Bracket => {
    let before = start;
    let now = at(first);
    for (let i = 0; i < MOST_EVALUATIONS; i += 1) {
      if (tooHigh(now) || (i > 1 && now.loss >= before.loss)) return [before, now];
      if (flat(now)) return now;
      if (now.slope >= 0) return [before, now];
      const t = lowest(before, now, [now.t + 0.01 * (now.t - before.t), now.t * 10]);
      before = now;
      now = at(t);
    }
    return [start, now];
  };

  /** Narrows the bracket to a place as wanted, and gives the lowest place seen where it finds none. */
  const zoom = (ends: Bracket): Point => {
    let low = ends[0].loss <= ends[1].loss ? 0 : 1;
    let stuck = false;
    while (evaluations <= MOST_EVALUATIONS) {
      const [from, to] = [Math.min(ends[0].t, ends[1].t), Math.max(ends[0].t, ends[1].t)];
      if ((to - from) * reach < LEAST_CHANGE) break;
      let t: number = lowest(ends[0], ends[1], [from, to]);
      const margin = 0.1 * (to - from);
      if (Math.min(to - t, t - from) < margin) {
        // Close to an end twice, or at it: a place further inside is tried.
        const inside: boolean = stuck || t >= to || t <= from;
        if (inside) t = Math.abs(t - to) < Math.abs(t - from) ? to - margin : from + margin;
        stuck = !inside;
      } else stuck = false;
      const now = at(t);
      const best = ends[low] as Point;
      if (tooHigh(now) || now.loss >= best.loss) {
        ends[1 - low] = now;
        low = ends[0].loss <= ends[1].loss ? 0 : 1;
        continue;
      }
      if (flat(now)) return now;
      if (now.slope * ((ends[1 - low] as Point).t - best.t) >= 0) ends[1 - low] = best;
      ends[low] = now;
    }
    return ends[low] as Point;
  };

  const result = bracket();
  return { found: Array.isArray(result) ? zoom(result) : result, evaluations };
}

/** The lowest place, within bounds, of the cubic with the losses and slopes of two places. */
function lowest(a: Point, b: Point, [min, max]: readonly [number, number]): number {
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (min + max) / 2;
  const d2 = Math.sqrt(square);
  const [left, right] = a.t <= b.t ? [a, b] : [b, a];
  const t = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return Math.min(Math.max(t, min), max);
}
