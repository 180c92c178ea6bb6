/** A picture that shows how well a face was fitted. */
import type { RgbImage } from '../../media/index.js';
import { functional as F } from '../../nn/index.js';
import { noGrad, scope, tensor } from '../../torch/index.js';
import { arkitNames } from '../face/arkit.js';
import type { FaceModel } from '../face/face-model.js';
import { Camera } from '../render/camera.js';
import { lineHeight, write } from '../render/letters.js';
import { vertexNormals } from '../render/mesh.js';
import { Raster } from '../render/raster.js';
import { directionalLight, shade } from '../render/shading.js';
import { paste } from '../render/tiles.js';
import type { FaceFit } from './face-fit.js';
import { landmarkVertices } from './fit-views.js';
import { fitRig } from './rig.js';

/** cm. */
const irisRadius = 0.6;

/** Pixels of a panel. */
const [panelWidth, panelHeight] = [420, 480];
/** Of the eyes' distance, how wide a panel is. */
const panelEyes = 3.4;

const colours = {
  found: [64, 255, 64],
  fitted: [255, 48, 48],
  text: [235, 235, 235],
  skin: [205, 190, 178],
  white: [245, 245, 245],
  iris: [60, 80, 110],
  pupil: [15, 15, 15],
  teeth: [235, 232, 220],
  inside: [120, 50, 50],
} as const satisfies Record<string, readonly [number, number, number]>;

/**
 * Three panels beside each other: the photograph's head with the landmarks that were found (green) and the fitted face's (red);
 * the fitted face half over it; the fitted face alone. Below, the numbers.
 */
export function fitSheet(picture: RgbImage, fit: FaceFit, model?: FaceModel): RgbImage {
  const rig = fitRig(model);
  const lines = captionOf(fit);
  const height = panelHeight + lines.length * lineHeight(2) + 16;
  const sheet = { width: 3 * panelWidth, height, data: new Uint8Array(3 * 3 * panelWidth * height).fill(24) };
  const window = windowOf(fit);
  const photo = cutPanel(picture, window);
  const face = rig.model.shape({ identity: fit.identity, weights: fit.weights, gaze: fit.gaze });
  const camera = panelCamera(fit, window);
  const drawn = drawFace(rig.model, face, camera, fit);
  const marked = { ...photo, data: photo.data.slice() };
  mark(marked, fit.landmarks, window, colours.found);
  const seen = camera.project(face, { pose: fit.pose });
  const vertices = landmarkVertices(rig, { vertices: fit.contour, normals: new Float64Array() });
  const fitted = Float32Array.from({ length: 2 * vertices.length }, (_, i) => seen[3 * vertices[i >> 1]! + (i & 1)]!);
  mark(marked, fitted, { left: 0, top: 0, scale: 1 }, colours.fitted);
  paste(sheet, marked, 0, 0);
  paste(sheet, blended(photo, drawn, 0.6), panelWidth, 0);
  paste(sheet, blended({ ...photo, data: new Uint8Array(photo.data.length).fill(60) }, drawn, 1), 2 * panelWidth, 0);
  for (const [i, line] of lines.entries()) write(sheet, line, 10, panelHeight + 8 + i * lineHeight(2), colours.text, 2);
  return sheet;
}

function captionOf(fit: FaceFit): string[] {
  const numbers = (values: object, digits: number): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${(value as number).toFixed(digits)}`)
      .join('  ');
  const shown = [...fit.weights.entries()]
    .filter(([, weight]) => weight >= 0.1)
    .sort(([, a], [, b]) => b - a)
    .map(([i, weight]) => `${arkitNames[i]} ${weight.toFixed(2)}`);
  const perLine = 5;
  const weights = Array.from({ length: Math.min(3, Math.ceil(shown.length / perLine)) }, (_, i) =>
    shown.slice(i * perLine, (i + 1) * perLine).join('  '),
  );
  const spread = Math.sqrt(fit.identity.reduce((sum, value) => sum + value ** 2, 0) / fit.identity.length);
  return [
    `off, % of the eyes' distance: ${numbers(fit.residual, 2)}`,
    `pose: ${numbers(fit.pose, 1)}   gaze: ${numbers(fit.gaze, 1)}`,
    `eyes ${fit.eyeDistance.toFixed(1)} pixels apart   identity ${spread.toFixed(2)} from the mean`,
    ...weights,
  ];
}

/** The part of the photograph that a panel shows: panel pixel = (pixel - corner) * scale. */
interface Window {
  readonly left: number;
  readonly top: number;
  readonly scale: number;
}

function windowOf(fit: FaceFit): Window {
  const [left, right, top, bottom] = [0, 1].flatMap((axis) => {
    const values = Array.from(fit.landmarks).filter((_, i) => i % 2 === axis);
    return [Math.min(...values), Math.max(...values)];
  }) as [number, number, number, number];
  // Wide enough for the face as it is turned, and for the forehead, which has no landmarks.
  const wide = Math.max(panelEyes * fit.eyeDistance, 1.35 * (right - left), 1.3 * (bottom - top));
  const scale = panelWidth / wide;
  const [x, y] = [(left + right) / 2, (top + bottom) / 2 - 0.1 * (bottom - top)];
  return { left: x - panelWidth / 2 / scale, top: y - panelHeight / 2 / scale, scale };
}

/** The photograph in a panel, averaged where it shrinks; black beyond its borders. */
function cutPanel({ data, width, height }: RgbImage, { left, top, scale }: Window): RgbImage {
  const [x, y] = [Math.floor(left), Math.floor(top)];
  const [across, down] = [Math.ceil(panelWidth / scale) + 2, Math.ceil(panelHeight / scale) + 2];
  const part = new Uint8Array(3 * across * down);
  for (let row = Math.max(0, -y); row < Math.min(down, height - y); row++) {
    const [from, end] = [Math.max(0, -x), Math.min(across, width - x)];
    if (from >= end) continue;
    const at = 3 * ((y + row) * width + x);
    part.set(data.subarray(at + 3 * from, at + 3 * end), 3 * (row * across + from));
  }
  return noGrad(() =>
    scope(() => {
      const pixels = tensor(part, { shape: [down, across, 3] })
        .permute([2, 0, 1])
        .unsqueeze(0);
      const size: [number, number] = [Math.round(down * scale), Math.round(across * scale)];
      const sized = F.interpolate(pixels.to({ dtype: 'float32' }), { size, mode: 'bilinear', antialias: scale < 1 });
      const [skipX, skipY] = [Math.round((left - x) * scale), Math.round((top - y) * scale)];
      const panel = sized.squeeze(0).narrow(1, skipY, panelHeight).narrow(2, skipX, panelWidth);
      const bytes = panel.round().clamp(0, 255).to({ dtype: 'uint8' }).permute([1, 2, 0]).contiguous();
      return { width: panelWidth, height: panelHeight, data: Uint8Array.from(bytes.data() as Uint8Array) };
    }),
  );
}

function panelCamera({ camera }: FaceFit, { left, top, scale }: Window): Camera {
  const [x, y] = camera.centre;
  return new Camera({
    ...camera,
    width: panelWidth,
    height: panelHeight,
    pixelsPerCm: camera.pixelsPerCm * scale,
    centre: [(x - left) * scale, (y - top) * scale],
  });
}

/** The shaded face: `[H * W * 3]`, and -1 where it is not. */
function drawFace(model: FaceModel, face: Float32Array, camera: Camera, { pose }: FaceFit): Float32Array {
  return noGrad(() =>
    scope(() => {
      const seen = camera.project(face, { pose });
      using raster = new Raster(panelHeight, panelWidth);
      const { parts, triangles } = model;
      raster.draw(seen, triangles, { cull: 'back', range: [0, parts.scleraLeft.triangles[0]] });
      // The white of an eye lies before its iris: where the white would be seen, the iris counts.
      for (const side of ['Left', 'Right'] as const)
        raster.draw(seen, triangles, { range: parts[`iris${side}`].triangles });
      for (const side of ['Left', 'Right'] as const)
        raster.draw(behind(seen), triangles, { cull: 'back', range: parts[`sclera${side}`].triangles });
      const normals = camera.turn(vertexNormals(face, triangles).data() as Float32Array, pose);
      const light = directionalLight([-0.6, 0.8, 1.5], 0.85, 0.2);
      const bright = shade(tensor(normals, { shape: [model.vertexCount, 3] }), light).clamp(0.1, 1.1);
      const shaded = tensor(vertexColours(model), { shape: [model.vertexCount, 3] }).mul(bright.unsqueeze(1));
      const into = tensor(new Float32Array(3 * panelWidth * panelHeight).fill(-1), {
        shape: [panelHeight, panelWidth, 3],
      });
      const drawn = raster.interpolate(shaded, triangles, { into });
      return Float32Array.from(drawn.data() as Float32Array);
    }),
  );
}

/** A little further away. */
function behind(seen: Float32Array): Float32Array {
  return seen.map((value, i) => (i % 3 === 2 ? value * 0.997 : value));
}

function vertexColours({ parts, vertexCount, vertices }: FaceModel): Float32Array {
  const all = new Float32Array(3 * vertexCount);
  const paint = (part: keyof typeof parts, colour: readonly number[]): void => {
    const [first, end] = parts[part].vertices;
    for (let i = 3 * first; i < 3 * end; i++) all[i] = colour[i % 3]!;
  };
  paint('skin', colours.skin);
  for (const part of ['mouthSocket', 'eyeSocketLeft', 'eyeSocketRight', 'gums', 'tongue'] as const)
    paint(part, colours.inside);
  paint('teeth', colours.teeth);
  for (const part of ['scleraLeft', 'scleraRight'] as const) paint(part, colours.white);
  for (const part of ['irisLeft', 'irisRight'] as const) {
    // The part is a whole ball, of which the front is the iris.
    paint(part, colours.white);
    const [first, end] = parts[part].vertices;
    const middle = [0, 1].map((axis) => {
      let sum = 0;
      for (let v = first; v < end; v++) sum += vertices[3 * v + axis]!;
      return sum / (end - first);
    });
    for (let v = first; v < end; v++) {
      const away = Math.hypot(vertices[3 * v]! - middle[0]!, vertices[3 * v + 1]! - middle[1]!);
      if (away < irisRadius) all.set(away < irisRadius / 2.5 ? colours.pupil : colours.iris, 3 * v);
    }
  }
  return all;
}

function blended(photo: RgbImage, drawn: Float32Array, share: number): RgbImage {
  const data = photo.data.map((value, i) =>
    drawn[i]! < 0 ? value : Math.round(Math.min(255, (1 - share) * value + share * drawn[i]!)),
  );
  return { ...photo, data };
}

/** Dots at points of the photograph. */
function mark(
  panel: RgbImage,
  points: Float32Array,
  { left, top, scale }: Window,
  colour: readonly [number, number, number],
): void {
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [Math.floor((points[i]! - left) * scale), Math.floor((points[i + 1]! - top) * scale)];
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) {
        if (x + dx < 0 || x + dx >= panel.width || y + dy < 0 || y + dy >= panel.height) continue;
        panel.data.set(colour, 3 * ((y + dy) * panel.width + x + dx));
      }
    }
  }
}
