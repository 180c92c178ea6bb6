/** Eyeballs: what is seen of them when they turn. */
import type { RgbImage } from '../../media/index.js';
import type { PhotographedHead } from './head.js';
import { distanceTo, smoothstep, valueAt } from './still/planes.js';
import { pullPush } from './still/pull-push.js';
import { planesOf } from './still/types.js';

/** In eye distances: how far beneath the lids the eyeballs go on, and how far from the lids their colours are sure. */
const [hiddenReach, sureFrom] = [0.2, 0.02];

/** In eye distances: how far from the lids what is seen stays with them; turned eyes move what they show by less. */
const lidReach = 0.075;

/** How far each pixel of an eyeball is from the lids. */
function fromLids(eyes: Uint8Array, { width, height }: PhotographedHead): Float32Array {
  return distanceTo(
    eyes.map((eye) => 1 - eye),
    width,
    height,
  );
}

/**
 * The photograph with its eyeballs carried on beneath the lids, in the colours that they have next to them.
 * @param eyes - `[H * W]`: 1 where the photograph shows an eyeball
 */
export function eyeballPicture(head: PhotographedHead, picture: RgbImage, eyes: Uint8Array): RgbImage {
  const { width, height } = picture;
  const away = distanceTo(eyes, width, height);
  const sure = fromLids(eyes, head).map((pixels) => (pixels > sureFrom * head.eyes ? 1 : 0));
  const carried = pullPush(planesOf(picture), sure, width, height);
  const data = Uint8Array.from(picture.data);
  for (let i = 0; i < eyes.length; i++)
    if (eyes[i] === 0 && away[i]! < hiddenReach * head.eyes)
      for (let c = 0; c < 3; c++) data[3 * i + c] = Math.round(carried[c]![i]!);
  return { width, height, data };
}

/**
 * How far what is seen at each vertex turns with its eyeball: next to the lids their shadow and lashes stay, and an iris moves
 * in between.
 * @param eyes - `[H * W]`: 1 where the photograph shows an eyeball
 * @param points - `[V * 3]`: the vertices as photographed
 */
export function eyeballShares(head: PhotographedHead, eyes: Uint8Array, points: Float32Array): Float32Array {
  const { model, width, height } = head;
  const lids = fromLids(eyes, head);
  const shares = new Float32Array(model.vertexCount);
  for (const part of ['scleraLeft', 'scleraRight'] as const)
    for (let v = model.parts[part].vertices[0]; v < model.parts[part].vertices[1]; v++)
      shares[v] = smoothstep(0, lidReach * head.eyes, valueAt(lids, width, height, points[3 * v]!, points[3 * v + 1]!));
  return shares;
}
