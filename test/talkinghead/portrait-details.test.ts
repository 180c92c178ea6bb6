// Teeth, liner and creases of a photograph: what moves with which lip, and what closed lids show of it.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type RgbImage, readImage } from 'headrace/media';
import { type ArkitName, arkitIndex, type FaceFit, fitPhotograph, lipLine, Portrait } from 'headrace/talkinghead';
import { example } from './examples.js';

type Rgb = readonly [number, number, number];
const blue: Rgb = [40, 40, 255];
const green: Rgb = [40, 255, 40];

let ana: RgbImage;
let fit: FaceFit;

before(async () => {
  ana = await readImage(example('ana.jpg'));
  fit = await fitPhotograph(ana);
});

/** The portrait's own weights, with some of them set. */
function weights({ rest }: Portrait, set: Partial<Record<ArkitName, number>>): Float32Array {
  const all = rest.weights.slice();
  for (const [name, value] of Object.entries(set)) all[arkitIndex(name)] = value;
  return all;
}

const copyOf = ({ width, height, data }: RgbImage): RgbImage => ({ width, height, data: Uint8Array.from(data) });

function paint({ width, data }: RgbImage, x: number, y: number, colour: Rgb): void {
  data.set(colour, 3 * (Math.round(y) * width + Math.round(x)));
}

/** Rows of a column in which a picture has nearly a colour. */
function rowsOf({ width, height, data }: RgbImage, x: number, colour: Rgb): number[] {
  const isNear = (y: number): boolean =>
    colour.every((value, c) => Math.abs(data[3 * (y * width + x) + c]! - value) < 70);
  return Array.from({ length: height }, (_, y) => y).filter(isNear);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

test('of an open mouth the upper teeth stay with the head, and the lower ones go with the jaw', async () => {
  const first = await Portrait.load(ana, { size: 320 });
  const photograph = copyOf(first.frame({ weights: weights(first, { jawOpen: 0.35 }) }));
  const { landmarks } = await fitPhotograph(photograph);
  const columns: number[] = [];
  for (let x = Math.round(landmarks[122]!); x <= landmarks[126]!; x++) {
    columns.push(x);
    const [top, bottom] = [landmarks[125]! + 2, landmarks[133]! - 2];
    for (let y = top; y < top + 4; y++) paint(photograph, x, y, blue);
    for (let y = bottom - 4; y < bottom; y++) paint(photograph, x, y, green);
  }
  const portrait = await Portrait.load(photograph, { crop: 'full' });
  const rest = portrait.frame();
  const jaw = portrait.rest.weights[arkitIndex('jawOpen')]!;
  const wide = portrait.frame({ weights: weights(portrait, { jawOpen: jaw + 0.35 }) });
  const moved = (colour: Rgb): number =>
    mean(columns.flatMap((x) => rowsOf(wide, x, colour))) - mean(columns.flatMap((x) => rowsOf(rest, x, colour)));
  assert.ok(Math.abs(moved(blue)) < 2, `upper teeth moved by ${moved(blue)} pixels`);
  assert.ok(moved(green) > 5, `lower teeth moved by ${moved(green)} pixels`);
  // And none of them is left where it was.
  const before = Math.max(...columns.flatMap((x) => rowsOf(rest, x, green)));
  const left = columns.flatMap((x) => rowsOf(wide, x, green)).filter((y) => y < before - 5);
  assert.deepEqual(left, []);
  portrait.dispose();
  first.dispose();
});

test('teeth above the line at which lips meet go with the upper lip, wherever that line runs', async () => {
  const photograph = copyOf(ana);
  const { points } = lipLine(ana, fit);
  const columns: number[] = [];
  for (let x = Math.round(points[12]!); x <= points[28]!; x++) {
    const k = Array.from({ length: 20 }, (_, i) => i).find((i) => points[2 * i + 2]! > x)!;
    // Up and down between the landmarks, which do not tell it.
    const y = points[2 * k + 1]! + 3 * Math.sin((4 * Math.PI * (x - points[12]!)) / (points[28]! - points[12]!));
    for (let up = 2; up < 8; up++) paint(photograph, x, y - up, [235, 235, 235]);
    for (const dark of [-1, 0, 1]) paint(photograph, x, y + dark, [10, 5, 5]);
    columns.push(x);
  }
  const portrait = await Portrait.load(photograph, { crop: 'full', fit });
  const open = portrait.frame({ weights: weights(portrait, { jawOpen: 0.5 }) });
  const lowest = points[21]! + 12;
  const strip = columns.flatMap((x) => rowsOf(open, x, [235, 235, 235]).filter((y) => y > lowest && y < lowest + 60));
  assert.ok(strip.length === 0, `${strip.length} pixels of teeth on the lower lip`);
  const hung = columns.flatMap((x) => rowsOf(open, x, [235, 235, 235]).filter((y) => Math.abs(y - lowest + 12) < 14));
  assert.ok(hung.length > 2 * columns.length, `${hung.length} pixels of teeth on the upper lip`);
  portrait.dispose();
});

test('closed lids show no line of lashes, liner or crease that lay around the open eye', async () => {
  const photograph = copyOf(ana);
  const { landmarks, eyeDistance } = fit;
  const centre = (first: number): [number, number] => [
    mean([0, 1, 2, 3, 4, 5].map((k) => landmarks[2 * (first + k)]!)),
    mean([0, 1, 2, 3, 4, 5].map((k) => landmarks[2 * (first + k) + 1]!)),
  ];
  // Liner below the lower lid of both eyes: a dark line an eighth of the eyes' distance below the middle.
  const below = 0.125 * eyeDistance;
  const places = [36, 42].flatMap((first) => {
    const [x, y] = centre(first);
    return Array.from({ length: 41 }, (_, i) => [x + (i - 20) * 0.006 * eyeDistance, y + below] as const);
  });
  for (const [x, y] of places) for (const dy of [-1, 0, 1]) paint(photograph, x, y + dy, [45, 30, 25]);
  const portrait = await Portrait.load(photograph, { crop: 'full', fit });
  const shut = portrait.frame({ weights: weights(portrait, { eyeBlinkLeft: 1, eyeBlinkRight: 1 }) });
  const skin = portrait.frame();
  const level = ({ width, data }: RgbImage, x: number, y: number): number =>
    data[3 * (Math.round(y) * width + Math.round(x)) + 1]!;
  const ratios = places.map(([x, y]) => level(shut, x, y) / level(skin, x, y + 0.05 * eyeDistance));
  assert.ok(Math.min(...ratios) > 0.75, `${Math.min(...ratios)} of the skin's light on the liner's place`);
  portrait.dispose();
});
