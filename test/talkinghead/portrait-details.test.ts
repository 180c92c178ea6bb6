// Teeth, liner and creases of a photograph: what moves with which lip, and what closed lids show of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RgbImage, readImage } from 'headrace/media';
import { type ArkitName, arkitIndex, type FaceFit, fitPhotograph, lipLine, Portrait } from 'headrace/talkinghead';
import { example } from './examples.js';

type Rgb = readonly [number, number, number];
const blue: Rgb = [40, 40, 255];
const green: Rgb = [40, 255, 40];
const white: Rgb = [235, 235, 235];

let ana: RgbImage;
let fit: FaceFit;
/** Ana with a strip of teeth above her closed lips, and liner below her eyes: to load a portrait takes seconds. */
let painted: Portrait;
let teeth: Teeth;
let liner: Liner;

before(async () => {
  ana = await readImage(example('ana.jpg'));
  fit = await fitPhotograph(ana);
  const photograph = copyOf(ana);
  teeth = paintTeeth(photograph);
  liner = paintLiner(photograph);
  painted = await Portrait.load(photograph, { crop: 'full', fit });
});

after(() => painted.dispose());

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

interface Teeth {
  readonly columns: readonly number[];
  /** The row of the middle of the lips' line, and somewhat more. */
  readonly lowest: number;
}

/** White above the line at which the lips meet, which runs up and down between the landmarks, as these do not tell. */
function paintTeeth(photograph: RgbImage): Teeth {
  const { points } = lipLine(ana, fit);
  const columns: number[] = [];
  for (let x = Math.round(points[12]!); x <= points[28]!; x++) {
    const k = Array.from({ length: 20 }, (_, i) => i).find((i) => points[2 * i + 2]! > x)!;
    const y = points[2 * k + 1]! + 3 * Math.sin((4 * Math.PI * (x - points[12]!)) / (points[28]! - points[12]!));
    for (let up = 2; up < 8; up++) paint(photograph, x, y - up, white);
    for (const dark of [-1, 0, 1]) paint(photograph, x, y + dark, [10, 5, 5]);
    columns.push(x);
  }
  return { columns, lowest: points[21]! + 12 };
}

test('teeth above the line at which lips meet go with the upper lip, wherever that line runs', () => {
  const { columns, lowest } = teeth;
  const open = painted.frame({ weights: weights(painted, { jawOpen: 0.5 }) });
  const strip = columns.flatMap((x) => rowsOf(open, x, white).filter((y) => y > lowest && y < lowest + 60));
  assert.ok(strip.length === 0, `${strip.length} pixels of teeth on the lower lip`);
  const hung = columns.flatMap((x) => rowsOf(open, x, white).filter((y) => Math.abs(y - lowest + 12) < 14));
  assert.ok(hung.length > 2 * columns.length, `${hung.length} pixels of teeth on the upper lip`);
});

type Liner = readonly (readonly [x: number, y: number])[];

/** A dark line below the lower lid of both eyes, an eighth of the eyes' distance below the middle. */
function paintLiner(photograph: RgbImage): Liner {
  const { landmarks, eyeDistance } = fit;
  const centre = (first: number): [number, number] => [
    mean([0, 1, 2, 3, 4, 5].map((k) => landmarks[2 * (first + k)]!)),
    mean([0, 1, 2, 3, 4, 5].map((k) => landmarks[2 * (first + k) + 1]!)),
  ];
  const below = 0.125 * eyeDistance;
  const places = [36, 42].flatMap((first) => {
    const [x, y] = centre(first);
    return Array.from({ length: 41 }, (_, i) => [x + (i - 20) * 0.006 * eyeDistance, y + below] as const);
  });
  for (const [x, y] of places) for (const dy of [-1, 0, 1]) paint(photograph, x, y + dy, [45, 30, 25]);
  return places;
}

test('closed lids show no line of lashes, liner or crease that lay around the open eye', () => {
  const shut = painted.frame({ weights: weights(painted, { eyeBlinkLeft: 1, eyeBlinkRight: 1 }) });
  const skin = painted.frame();
  const level = ({ width, data }: RgbImage, x: number, y: number): number =>
    data[3 * (Math.round(y) * width + Math.round(x)) + 1]!;
  const ratios = liner.map(([x, y]) => level(shut, x, y) / level(skin, x, y + 0.05 * fit.eyeDistance));
  assert.ok(Math.min(...ratios) > 0.75, `${Math.min(...ratios)} of the skin's light on the liner's place`);
});
