import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaceAnalyser } from 'headrace/media';
import { analyserGain, axisGain, FaceStage } from 'headrace/talkinghead';

test('the gain of an axis is that of the straight line through the readings', () => {
  const asked = [-20, -10, 0, 10, 20];
  const { gain, offset, error, scatter } = axisGain(
    asked,
    asked.map((value) => 0.7 * value + 2),
  );
  assert.ok(Math.abs(gain - 0.7) < 1e-12 && Math.abs(offset - 2) < 1e-12 && scatter < 1e-12);
  assert.equal(error, 4); // of 8, 5, 2, 1, 4
});

test('the analyser finds synthetic people and reads how they are turned', async () => {
  using stage = new FaceStage({ size: 128 });
  const analyser = await FaceAnalyser.load();
  const { found, yaw, pitch, roll, landmarks } = analyserGain(analyser, { people: 12, stage });
  assert.ok(found >= 0.95, `found ${found}`);
  for (const axis of [yaw, pitch, roll]) {
    assert.ok(axis.gain > 0.85 && axis.gain < 1.15, `gain ${axis.gain}`);
    assert.ok(axis.scatter < 3, `scatter ${axis.scatter}`);
  }
  assert.ok(landmarks.shifted < 5, `landmarks ${landmarks.shifted}`);
});
