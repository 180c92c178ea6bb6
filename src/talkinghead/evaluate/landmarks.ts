/** How landmarks differ, how far a mouth is open, and how much points tremble. */
import { faceParts, landmarkCount } from '../../media/index.js';

/** x and y of points, one after another. */
type Points = ArrayLike<number>;

/** The points that a distance is of: all 68, or the 20 of the lips. */
const parts = { face: [0, landmarkCount - 1], mouth: [faceParts.outerLips[0], faceParts.innerLips[1]] } as const;

/** Pairs of the inner lips' points that lie above one another: left, middle, right. */
const gaps = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;

/**
 * The mean distance between the points of two faces, each about the mean of its own points, so that a face or mouth that is only
 * elsewhere is at no distance. In the landmarks' unit, pixels.
 */
export function landmarkDistance(a: Points, b: Points, part: 'face' | 'mouth'): number {
  const [first, last] = parts[part];
  const count = last - first + 1;
  const [ax, ay] = meanOf(a, first, last);
  const [bx, by] = meanOf(b, first, last);
  let sum = 0;
  for (let i = first; i <= last; i++)
    sum += Math.hypot(a[2 * i]! - ax - b[2 * i]! + bx, a[2 * i + 1]! - ay - b[2 * i + 1]! + by);
  return sum / count;
}

function meanOf(points: Points, first: number, last: number): [number, number] {
  let [x, y] = [0, 0];
  for (let i = first; i <= last; i++) {
    x += points[2 * i]!;
    y += points[2 * i + 1]!;
  }
  return [x / (last - first + 1), y / (last - first + 1)];
}

/** The mean distance of the inner lips, as a share of the distance between the eyes. */
export function mouthOpening({ landmarks, interOcular }: { landmarks: Points; interOcular: number }): number {
  let sum = 0;
  for (const [above, below] of gaps)
    sum += Math.hypot(
      landmarks[2 * above]! - landmarks[2 * below]!,
      landmarks[2 * above + 1]! - landmarks[2 * below + 1]!,
    );
  return sum / gaps.length / interOcular;
}

/**
 * How much points tremble: the mean length of their second differences from frame to frame, in percent of the distance between the
 * eyes. Even motion counts nothing. Over triples of frames in which the face was found; null where there is none.
 */
export function jitter(faces: readonly ({ landmarks: Points; interOcular: number } | null)[]): number | null {
  let [sum, count] = [0, 0];
  for (let frame = 1; frame + 1 < faces.length; frame++) {
    const [before, here, after] = [faces[frame - 1], faces[frame], faces[frame + 1]];
    if (!before || !here || !after) continue;
    for (let i = 0; i < landmarkCount; i++) {
      const bend = (at: number): number => before.landmarks[at]! - 2 * here.landmarks[at]! + after.landmarks[at]!;
      sum += Math.hypot(bend(2 * i), bend(2 * i + 1)) / here.interOcular;
      count++;
    }
  }
  return count === 0 ? null : (100 * sum) / count;
}
