import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { type Face, FaceAnalyser, type RgbImage, readFrames } from 'headrace/media';
import sharp from 'sharp';
import { near } from './faces-support.js';
import { all, realData } from './support.js';

const portraits = realData('portraits');
const grid = realData('grid');
let analyser: FaceAnalyser;

before(async () => {
  if (!portraits.skip || !grid.skip) analyser = await FaceAnalyser.load();
});

async function picture(path: string): Promise<RgbImage> {
  const { data, info } = await sharp(path)
    .toColourspace('srgb')
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: new Uint8Array(data), width: info.width, height: info.height };
}

test('a face is found in every portrait: photographs, paintings, a whole body', { skip: portraits.skip }, async () => {
  const found = new Map<string, Face>();
  for (const name of readdirSync(portraits.path)) {
    const face = analyser.analyse(await picture(join(portraits.path, name)));
    assert.ok(face !== null, name);
    found.set(name, face);
  }
  assert.ok(found.get('happy.jpg')!.expressions.happy > 0.9);
  // By eye: the girl in the snow looks to the left of the picture, the two of one woman straight at the camera.
  near(found.get('full3.jpg')!.pose.yaw, -20, 8, 'yaw');
  for (const name of ['happy.jpg', 'sad.jpg']) near(found.get(name)!.pose.yaw, 0, 6, `yaw of ${name}`);
});

test('GRID: a speaker before the camera is never lost', { skip: grid.skip }, async () => {
  const clips = readdirSync(grid.path).filter((_, i) => i % 6 === 0);
  for (const clip of clips) {
    const frames = await all(readFrames(join(grid.path, clip), { fps: 5 }));
    const faces = analyser.follow({ rate: 5, smooth: false }).next(frames);
    for (const [k, face] of faces.entries()) {
      assert.ok(face !== null, `${clip}, frame ${k}`);
      assert.ok(
        Math.abs(face.pose.yaw) < 20 && Math.abs(face.pose.roll) < 15,
        `${clip}, frame ${k}: ${JSON.stringify(face.pose)}`,
      );
      near(face.interOcular, 53, 12, `${clip}, frame ${k}: distance between the eyes`);
    }
    const mouths = faces.map((face) => (face!.landmarks[133]! - face!.landmarks[125]!) / face!.interOcular);
    assert.ok(Math.max(...mouths) - Math.min(...mouths) > 0.05, `${clip}: the mouth moves`);
  }
});
