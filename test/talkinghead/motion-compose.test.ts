import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expressionNames } from 'headrace/media';
import {
  type ArkitName,
  arkitIndex,
  arkitNames,
  arkitWeights,
  closeLids,
  composeFace,
  emotionWeights,
  FaceModel,
  lipGap,
  mixEmotions,
  raiseBrows,
} from 'headrace/talkinghead';
import { near } from './motion-support.js';

const zeros = new Float32Array(52);
const value = (weights: Float32Array, name: ArkitName): number => weights[arkitIndex(name)]!;
const speak = (mouth: Parameters<typeof arkitWeights>[0], closure = 0) => ({ mouth: arkitWeights(mouth), closure });

const face = FaceModel.load();
const pairs = [
  [61, 67],
  [62, 66],
  [63, 65],
] as const;
/** Between the lips' inner borders, in cm. */
const gaps = (weights: Float32Array): number[] => {
  const vertices = face.shape({ weights });
  const y = (landmark: number): number => vertices[3 * face.landmarks[landmark]! + 1]!;
  return pairs.map(([upper, lower]) => y(upper) - y(lower));
};
const restGaps = gaps(zeros);

test('without speech a face shows its expression, and a silent frame changes nothing', () => {
  for (const name of expressionNames) {
    const expression = emotionWeights[name];
    assert.deepEqual(composeFace({ expression, speech: null, speaking: 0 }), expression);
    assert.deepEqual(composeFace({ expression, speech: { mouth: zeros, closure: 0 }, speaking: 0 }), expression);
  }
});

/** What speech may ask for: lips together, a consonant, open, rounded and spread vowels, half sealed lips. */
const sounds = [
  speak({}),
  speak({ jawOpen: 0.03, mouthLowerDownLeft: 0.1, mouthLowerDownRight: 0.1 }),
  speak({ jawOpen: 0.25, mouthLowerDownLeft: 0.25, mouthLowerDownRight: 0.25, mouthUpperUpLeft: 0.1 }),
  speak({ jawOpen: 0.6 }),
  speak({ jawOpen: 0.03, mouthPucker: 0.7, mouthFunnel: 0.12 }),
  speak({ jawOpen: 0.1, mouthStretchLeft: 0.3, mouthStretchRight: 0.3, mouthSmileLeft: 0.2, mouthSmileRight: 0.2 }),
  speak({ jawOpen: 0.2, mouthFunnel: 0.3 }, 0.5),
];

test('while speaking the lips of the face model stand as far apart under every emotion as without one', () => {
  /** Beyond the gap at rest: where it is widest, and in the middle. */
  const wider = (weights: Float32Array): [most: number, middle: number] => {
    const by = gaps(weights).map((gap, i) => gap - restGaps[i]!);
    return [Math.max(...by), by[1]!];
  };
  for (const speech of sounds) {
    const alone = wider(composeFace({ expression: zeros, speech, speaking: 1 }));
    for (const name of expressionNames) {
      for (const strength of [0.4, 1, 1.4]) {
        const expression = emotionWeights[name].map((weight) => strength * weight);
        const said = wider(composeFace({ expression, speech, speaking: 1 }));
        near(said[0], alone[0], 0.005, `${name} ${strength}`);
        near(said[1], alone[1], 0.09, `${name} ${strength}, middle`);
      }
    }
  }
  // Without the rule a surprised mouth would stand open by this much more.
  assert.ok(wider(composeFace({ expression: emotionWeights.surprised, speech: speak({}), speaking: 0 }))[0] > 2.5);
});

test('the gap is held by as much as there is speech: in silence the lips are the emotion’s own', () => {
  for (const name of expressionNames) {
    const expression = emotionWeights[name];
    const speech = speak({ jawOpen: 0.1 });
    const at = (speaking: number, mouthScale = 1) => composeFace({ expression, speech, speaking, mouthScale });
    const [none, all] = [at(0), at(1)];
    for (const [i, weight] of at(0.25).entries()) near(weight, none[i]! + 0.25 * (all[i]! - none[i]!), 1e-6, name);
    // Where speech moves nothing it takes nothing.
    for (const [i, weight] of at(1, 0).entries()) near(weight, expression[i]!, 1e-6, name);
  }
});

test('an emotion keeps all but what parts the lips while speaking', () => {
  const parting = /^(jawOpen|mouth(Close|Funnel|LowerDown|UpperUp|ShrugUpper))/;
  for (const name of expressionNames) {
    const expression = emotionWeights[name];
    const said = composeFace({ expression, speech: speak({ mouthLowerDownLeft: 0.2 }), speaking: 1 });
    for (const [i, weight] of said.entries())
      if (!parting.test(arkitNames[i]!)) near(weight, expression[i]!, 1e-6, `${name}: ${arkitNames[i]}`);
  }
});

test('of what parts the lips in an expression one share is kept, the largest that the sound allows', () => {
  const expression = arkitWeights({ jawOpen: 0.4, mouthFunnel: 0.2, mouthSmileLeft: 0.5 });
  const said = composeFace({
    expression,
    speech: speak({ mouthLowerDownLeft: 0.5, mouthLowerDownRight: 0.5 }),
    speaking: 1,
  });
  near(value(said, 'jawOpen'), 0, 1e-6); // the lower lip alone has the gap that is asked for
  near(value(said, 'mouthFunnel'), 0, 1e-6);
  near(value(said, 'mouthSmileLeft'), 0.5, 1e-6);
  // Pressed lips leave room for some of it: 0.687 cm x 0.5 in the middle, of 3.276 x 0.4 + 1.373 x 0.2.
  const pressed = arkitWeights({ jawOpen: 0.4, mouthFunnel: 0.2, mouthShrugLower: 0.5 });
  const shut = composeFace({ expression: pressed, speech: speak({}), speaking: 1 });
  const share = (0.5 * 0.687) / (0.4 * 3.276 + 0.2 * 1.373);
  near(value(shut, 'jawOpen'), 0.4 * share, 0.005);
  near(value(shut, 'mouthFunnel'), 0.2 * share, 0.005);
  near(value(shut, 'mouthClose'), 0, 1e-6);
  // A sneer stays, and the lower lip rises to it.
  const sneer = composeFace({
    expression: arkitWeights({ noseSneerLeft: 1, noseSneerRight: 1 }),
    speech: speak({}),
    speaking: 1,
  });
  near(value(sneer, 'noseSneerLeft'), 1, 1e-6);
  near(value(sneer, 'mouthClose'), Math.max(0.637 / 3.633, 0.622 / 3.894), 1e-3);
  // Lips that are pressed part by the jaw.
  const frown = composeFace({ expression: arkitWeights({ mouthShrugLower: 0.6 }), speech: speak({}), speaking: 1 });
  near(value(frown, 'jawOpen'), Math.min((0.6 * 0.687) / 3.276, (0.6 * 0.615) / 2.7), 1e-3);
});

test('what speech asks for is added, times the mouth’s scale', () => {
  const expression = arkitWeights({ jawOpen: 0.2, mouthSmileLeft: 0.5 });
  const speech = speak({ jawOpen: 0.1, mouthStretchLeft: 0.2 });
  const once = composeFace({ expression, speech, speaking: 0 });
  near(value(once, 'jawOpen'), 0.3, 1e-6);
  near(value(once, 'mouthStretchLeft'), 0.2, 1e-6);
  const twice = composeFace({ expression, speech, speaking: 0, mouthScale: 2 });
  near(value(twice, 'jawOpen'), 0.4, 1e-6);
  near(value(composeFace({ expression, speech, speaking: 0, mouthScale: 0 }), 'jawOpen'), 0.2, 1e-6);
});

test('a smile gives way to rounding', () => {
  const expression = arkitWeights({ mouthSmileLeft: 0.8, mouthDimpleRight: 0.4, mouthFrownLeft: 0.4 });
  const said = composeFace({ expression, speech: speak({ mouthPucker: 0.5, mouthFunnel: 0.5 }), speaking: 0 });
  near(value(said, 'mouthSmileLeft'), 0.8 * (1 - 0.5 * 0.8), 1e-6); // rounding 0.5 + 0.6 x 0.5
  near(value(said, 'mouthDimpleRight'), 0.4 * 0.6, 1e-6);
  near(value(said, 'mouthFrownLeft'), 0.4, 1e-6);
  const round = composeFace({ expression, speech: speak({ mouthPucker: 1, mouthFunnel: 1 }), speaking: 0 });
  near(value(round, 'mouthSmileLeft'), 0.4, 1e-6);
});

test('pressed lips part for an open vowel', () => {
  const expression = arkitWeights({ mouthPressLeft: 0.6, mouthShrugLower: 0.4, mouthRollUpper: 0.4 });
  const half = composeFace({ expression, speech: speak({ jawOpen: 0.125 }), speaking: 0 });
  near(value(half, 'mouthPressLeft'), 0.3, 1e-6);
  const open = composeFace({ expression, speech: speak({ jawOpen: 0.3 }), speaking: 0 });
  for (const name of ['mouthPressLeft', 'mouthShrugLower', 'mouthRollUpper'] as const) near(value(open, name), 0, 1e-6);
  assert.ok(lipGap(open) > 0.6);
});

test('closure multiplies every opening, the expression’s too, and presses the lips a little', () => {
  const expression = arkitWeights({ jawOpen: 0.4, mouthFunnel: 0.2, noseSneerLeft: 0.6, mouthFrownLeft: 0.5 });
  const speech = speak({ jawOpen: 0.2, mouthLowerDownLeft: 0.4 }, 0.75);
  const said = composeFace({ expression, speech, speaking: 0 });
  near(value(said, 'jawOpen'), 0.6 * 0.25, 1e-6);
  near(value(said, 'mouthFunnel'), 0.05, 1e-6);
  near(value(said, 'mouthLowerDownLeft'), 0.1, 1e-6);
  near(value(said, 'noseSneerLeft'), 0.6 * (1 - 0.5 * 0.75), 1e-6);
  near(value(said, 'mouthFrownLeft'), 0.5, 1e-6);
  near(value(said, 'mouthPressLeft'), 0.35 * 0.75, 1e-6);
  near(value(said, 'mouthRollUpper'), 0.08 * 0.75, 1e-6);
});

test('weights are kept from 0 to 1.1', () => {
  const said = composeFace({
    expression: arkitWeights({ jawOpen: 0.9, mouthLeft: -0.5 }),
    speech: speak({ jawOpen: 0.9 }),
    speaking: 0,
  });
  near(value(said, 'jawOpen'), 1.1, 1e-6);
  assert.equal(value(said, 'mouthLeft'), 0);
});

test('the gap that weights tell is the face model’s', () => {
  for (const [at, name] of arkitNames.entries()) {
    const weights = zeros.slice();
    weights[at] = 1;
    const model = Math.max(...gaps(weights).map((gap, i) => gap - restGaps[i]!));
    near(lipGap(weights), model, 0.001, name);
  }
});

test('lips close for m, b and p under every emotion, blend, strength and vowel', () => {
  const vowels = [
    {},
    { jawOpen: 0.8, mouthLowerDownLeft: 0.6, mouthUpperUpRight: 0.6 },
    { jawOpen: 0.4, mouthFunnel: 1 },
  ];
  const none = Object.fromEntries(expressionNames.map((name) => [name, 0])) as Record<
    (typeof expressionNames)[number],
    number
  >;
  const rest = arkitWeights({ jawOpen: 0.3, mouthSmileLeft: 0.5, mouthSmileRight: 0.5, mouthUpperUpLeft: 0.3 });
  for (const one of expressionNames) {
    for (const other of expressionNames) {
      for (const strength of [0.5, 1.5]) {
        const mixed = { ...none, [one]: strength };
        mixed[other] += strength / 2;
        for (const mouth of vowels) {
          const speech = speak(mouth, 1);
          const said = composeFace({ expression: mixEmotions(mixed, rest), speech, speaking: 0.5, mouthScale: 2 });
          for (const [i, gap] of gaps(said).entries())
            assert.ok(gap <= restGaps[i]! + 0.02, `${one} ${strength} and ${other}: ${gap} cm at ${i}`);
        }
      }
    }
  }
});

test('an emotion takes the place of the photograph’s expression by its strength, and leaves its look', () => {
  const rest = arkitWeights({ mouthSmileLeft: 0.6, browInnerUp: 0.2, eyeLookDownLeft: 0.3 });
  const none = { neutral: 0, happy: 0, sad: 0, angry: 0, fearful: 0, disgusted: 0, surprised: 0 };
  const half = mixEmotions({ ...none, sad: 0.5 }, rest);
  near(value(half, 'mouthSmileLeft'), 0.3 + 0.5 * value(emotionWeights.sad, 'mouthSmileLeft'), 1e-6);
  near(value(half, 'browInnerUp'), 0.1 + 0.5 * value(emotionWeights.sad, 'browInnerUp'), 1e-6);
  near(value(half, 'eyeLookDownLeft'), 0.3, 1e-6);
  const neutral = mixEmotions({ ...none, neutral: 1 }, rest);
  near(value(neutral, 'mouthSmileLeft'), 0, 1e-6);
  assert.deepEqual(mixEmotions(none, rest), rest);
  assert.deepEqual(mixEmotions({ ...none, happy: 1 }, rest, 0), rest);
});

test('lids close from where they are, and brows that are drawn down stay down', () => {
  const weights = arkitWeights({ eyeBlinkLeft: 0.2, eyeWideLeft: 0.5, browDownLeft: 1, browDownRight: 1 });
  closeLids(weights, 0.5);
  near(value(weights, 'eyeBlinkLeft'), 0.6, 1e-6);
  near(value(weights, 'eyeBlinkRight'), 0.5, 1e-6);
  near(value(weights, 'eyeWideLeft'), 0.25, 1e-6);
  raiseBrows(weights, 0.3);
  near(value(weights, 'browInnerUp'), 0, 1e-6);
  const calm = zeros.slice();
  raiseBrows(calm, 0.3);
  near(value(calm, 'browInnerUp'), 0.3, 1e-6);
  near(value(calm, 'browOuterUpLeft'), 0.24, 1e-6);
});
