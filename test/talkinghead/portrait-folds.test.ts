import assert from 'node:assert/strict';
import { test } from 'node:test';
import { op, tensor, zeros } from 'headrace';
import { FaceAnalyser, type RgbImage } from 'headrace/media';
import { FaceStage, type HeadTurn, Portrait, SyntheticFace } from 'headrace/talkinghead';
import { example } from './examples.js';

/** What of a portrait the frames' grid is seen by: none of it is public, and no picture shows what is hidden. */
interface Inner {
  readonly stage: {
    readonly head: { place(by: Required<HeadTurn>, moved: readonly number[]): unknown };
    readonly grid: {
      readonly triangles: { data(): Int32Array };
      project(weights: Float32Array, place: unknown): Float32Array;
    };
  };
}

/** Percent of the grid's triangles that show their back; as photographed all run clockwise in the picture, y down. */
function turnedOver(portrait: Portrait, pose: Required<HeadTurn>): number {
  const { head, grid } = (portrait as unknown as Inner).stage;
  const points = grid.project(new Float32Array(52), head.place(pose, [0, 0, 0]));
  const corners = grid.triangles.data();
  let turned = 0;
  for (let t = 0; t < corners.length; t += 3) {
    const [a, b, c] = [3 * corners[t]!, 3 * corners[t + 1]!, 3 * corners[t + 2]!];
    const across = (points[b]! - points[a]!) * (points[c + 1]! - points[a + 1]!);
    const down = (points[b + 1]! - points[a + 1]!) * (points[c]! - points[a]!);
    if (across - down >= 0) turned++;
  }
  return (300 * turned) / corners.length;
}

test('the picture folds nowhere when heads turn about one axis, and hardly anywhere when about all three', async () => {
  const analyser = await FaceAnalyser.load();
  using stage = new FaceStage({ size: 256 });
  const pictures: (RgbImage | string)[] = [example('ana.jpg')];
  const poses = [{ yaw: 14 }, { pitch: -9, roll: -8 }, { yaw: -10, pitch: 8, roll: 10 }];
  for (const [seed, pose] of poses.entries()) {
    using person = new SyntheticFace(seed + 1, { stage });
    pictures.push(person.frame({ pose }).image);
  }
  for (const [i, picture] of pictures.entries()) {
    using portrait = await Portrait.load(picture, { size: 256, analyser });
    for (const yaw of [-25, 0, 25])
      for (const pitch of [-15, 0, 15])
        for (const roll of [-20, 0, 20]) {
          const axes = [yaw, pitch, roll].filter((angle) => angle !== 0).length;
          const share = turnedOver(portrait, { yaw, pitch, roll });
          assert.ok(share <= (axes < 2 ? 0 : 0.1), `portrait ${i}, ${yaw} ${pitch} ${roll}: ${share} %`);
        }
  }
});

test('a pixel with a triangle that is not there is an error, not a crash', () => {
  const [height, width] = [4, 5];
  const picture = zeros([height, width, 4], { dtype: 'uint8' });
  const out = zeros([height, width, 3], { dtype: 'uint8' });
  const compose = (triangle: number): unknown =>
    op('headrace::composeMouth')(
      picture,
      picture,
      false,
      0,
      0,
      tensor(new Int32Array(height * width).fill(triangle), { shape: [height, width] }),
      zeros([height, width, 2]),
      tensor(Int32Array.of(0, 1, 2), { shape: [1, 3] }),
      zeros([3, 7]),
      0,
      ...[0, 0, width, height],
      1,
      out,
    );
  compose(0);
  compose(-1);
  for (const wrong of [1, 1_000_000_000, -2]) assert.throws(() => compose(wrong), /triangle -?\d+, but there are 1/);
});
