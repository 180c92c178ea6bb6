/**
 * What the emotions' recipes are read as, and the search that found them.
 *
 *   node scripts/emotion-recipes.mjs measure PICTURE|VIDEO..            the score of each emotion, by strength, as FaceAnalyser reads it
 *   node scripts/emotion-recipes.mjs search EMOTION PICTURE|VIDEO..     a recipe that is read as itself on these faces
 *
 * Faces that are searched on say nothing about how good a recipe is: measure on others. Of a video the first frame is taken.
 */
import { basename } from 'node:path';
import { expressionNames, FaceAnalyser, readFrames, readImage } from '../dist/media/index.js';
import { arkitCount, arkitIndex, emotionWeights, mixEmotions, Portrait } from '../dist/talkinghead/index.js';

const strengths = [0.25, 0.5, 0.75, 1];
const none = Object.fromEntries(expressionNames.map((name) => [name, 0]));
const size = 256;

/** Of each weight, both sides alike: where the search starts, and between which it stays: what FACS has in such a face. */
const spaces = {
  happy: {
    mouthSmile: [0.85, 0.4, 1],
    cheekSquint: [0.6, 0.2, 1],
    eyeSquint: [0.3, 0.1, 0.6],
    mouthDimple: [0.15, 0, 0.5],
    mouthUpperUp: [0.18, 0, 0.4],
    mouthLowerDown: [0.05, 0, 0.3],
    jawOpen: [0.03, 0, 0.12],
    browOuterUp: [0.05, 0, 0.3],
    browInnerUp: [0.05, 0, 0.3],
  },
  sad: {
    browInnerUp: [0.95, 0.4, 1],
    browDown: [0.15, 0, 0.5],
    mouthFrown: [0.9, 0.3, 1],
    mouthShrugLower: [0.6, 0, 0.8],
    mouthShrugUpper: [0.05, 0, 0.4],
    mouthPress: [0.15, 0, 0.5],
    mouthRollLower: [0.15, 0, 0.4],
    mouthStretch: [0.05, 0, 0.4],
    eyeSquint: [0.2, 0, 0.5],
    eyeBlink: [0.1, 0, 0.3],
  },
  angry: {
    browDown: [1, 0.6, 1.1],
    eyeSquint: [0.2, 0, 0.8],
    eyeWide: [0.5, 0, 1],
    noseSneer: [0.4, 0, 0.8],
    mouthPress: [0.2, 0, 0.9],
    mouthFrown: [0.2, 0, 0.9],
    mouthShrugLower: [0.1, 0, 0.6],
    mouthShrugUpper: [0.1, 0, 0.4],
    mouthUpperUp: [0.1, 0, 0.4],
    mouthLowerDown: [0.3, 0, 0.9],
    mouthStretch: [0.2, 0, 0.6],
    mouthRollLower: [0.05, 0, 0.4],
    mouthRollUpper: [0.3, 0, 0.8],
    mouthFunnel: [0.15, 0, 0.6],
    jawOpen: [0.08, 0, 0.35],
    jawForward: [0.2, 0, 0.6],
  },
  surprised: {
    browInnerUp: [0.95, 0.6, 1.1],
    browOuterUp: [0.95, 0.6, 1.1],
    eyeWide: [0.9, 0.4, 1.1],
    jawOpen: [0.45, 0.1, 0.75],
    mouthFunnel: [0.25, 0, 0.8],
    mouthPucker: [0.05, 0, 0.6],
    mouthUpperUp: [0.03, 0, 0.3],
    mouthLowerDown: [0.06, 0, 0.4],
    mouthStretch: [0, 0, 0.2],
    jawForward: [0, 0, 0.3],
    mouthShrugUpper: [0, 0, 0.4],
  },
  fearful: {
    browInnerUp: [0.95, 0.5, 1],
    browOuterUp: [0.2, 0, 1],
    browDown: [0.6, 0, 0.8],
    eyeWide: [0.95, 0.5, 1],
    mouthStretch: [0.9, 0.2, 1],
    mouthFrown: [0.5, 0, 0.7],
    mouthLowerDown: [0.5, 0, 0.7],
    mouthUpperUp: [0.1, 0, 0.5],
    jawOpen: [0.3, 0, 0.4],
    mouthRollUpper: [0.1, 0, 0.3],
  },
  disgusted: {
    noseSneer: [1, 0.5, 1],
    mouthUpperUp: [0.5, 0.1, 0.8],
    browDown: [0.4, 0.1, 1],
    eyeSquint: [0.6, 0.1, 0.9],
    cheekSquint: [0.3, 0, 0.8],
    mouthFrown: [0.45, 0, 0.8],
    mouthShrugLower: [0.45, 0, 0.7],
    mouthShrugUpper: [0.15, 0, 0.5],
    mouthLowerDown: [0.05, 0, 0.5],
    eyeBlink: [0.05, 0, 0.2],
  },
};

const [verb, ...rest] = process.argv.slice(2);
const emotion = verb === 'search' ? rest.shift() : null;
if (!(verb === 'measure' || (verb === 'search' && spaces[emotion])) || rest.length === 0) {
  console.error('Expected: measure PICTURE.. or search EMOTION PICTURE.., with one of', Object.keys(spaces).join(', '));
  process.exit(2);
}
const analyser = await FaceAnalyser.load();
const faces = [];
for (const path of rest) {
  const portrait = await Portrait.load(await pictureOf(path), { size });
  faces.push({ name: basename(path), portrait, detection: analyser.analyse(portrait.frame()) });
}
if (verb === 'measure') measure();
else console.log(JSON.stringify(search(spaces[emotion]), null, 2));

async function pictureOf(path) {
  if (/\.(jpe?g|png|webp)$/i.test(path)) return readImage(path);
  for await (const frame of readFrames(path)) return frame;
  throw new Error(`${path} has no frame`);
}

/** What a face with weights is read as; in search the box of the face at rest saves looking for it. */
function read({ portrait, detection }, weights, pose, look) {
  const frame = portrait.frame({ weights, pose });
  const face = look ? analyser.analyse(frame) : analyser.read([{ frame, detection }])[0];
  return face?.expressions ?? {};
}

function measure() {
  for (const name of Object.keys(emotionWeights)) {
    console.log(`\n${name.padEnd(28)} ${strengths.join('     ')}`);
    const right = strengths.map(() => 0);
    for (const face of faces) {
      const cells = strengths.map((strength, i) => {
        const scores = read(face, mixEmotions({ ...none, [name]: strength }, face.portrait.rest.weights), {}, true);
        const [top] = Object.entries(scores).sort((a, b) => b[1] - a[1])[0] ?? ['no face'];
        if (top === name) right[i]++;
        return `${(scores[name] ?? 0).toFixed(2)} ${top === name ? '' : top.slice(0, 3)}`.padEnd(9);
      });
      console.log(face.name.padEnd(28), cells.join(''));
    }
    console.log('read as itself'.padEnd(28), right.map((count) => `${count}/${faces.length}`.padEnd(9)).join(''));
  }
}

/**
 * An evolution strategy with a variance for each weight (Ros and Hansen's separable CMA-ES, without its cumulation). Its cost is
 * the mean of -log of the scores at strengths 0.7 and 1, in some poses, and a little for whatever leaves the start and is large.
 */
function search(space) {
  const names = Object.keys(space);
  const [start, least, most] = [0, 1, 2].map((k) => names.map((name) => space[name][k]));
  const poses = [{}, { yaw: 7 }, { yaw: -7, pitch: 3 }, { pitch: 5, roll: 3 }, { pitch: -4, roll: -3 }];
  const cost = (values) => {
    const recipe = weightsOf(names, values);
    let sum = 0;
    for (const [i, face] of faces.entries()) {
      const shown = (strength) =>
        recipe.map((weight, at) => strength * weight + (1 - strength) * face.portrait.rest.weights[at]);
      for (const strength of [0.7, 1])
        sum -= Math.log(0.02 + (read(face, shown(strength), poses[i % poses.length])[emotion] ?? 0));
    }
    const strange = values.reduce((total, value, i) => total + ((value - start[i]) / 0.35) ** 2, 0);
    return sum / faces.length / 2 + 0.02 * strange + 0.02 * values.reduce((total, value) => total + value, 0);
  };
  const [children, parents, generations] = [9, 3, 12];
  let mean = start;
  let spread = names.map((_, i) => 0.22 * (most[i] - least[i]));
  let best = { values: start, cost: cost(start) };
  const random = gaussian(1);
  for (let g = 0; g < generations; g++) {
    const tried = Array.from({ length: children }, () => {
      const values = mean.map((value, i) => Math.min(most[i], Math.max(least[i], value + spread[i] * random())));
      return { values, cost: cost(values) };
    }).sort((a, b) => a.cost - b.cost);
    if (tried[0].cost < best.cost) best = tried[0];
    const chosen = [best, ...tried.slice(0, parents)];
    const last = mean;
    mean = names.map((_, i) => chosen.reduce((sum, { values }) => sum + values[i] / chosen.length, 0));
    spread = spread.map((width, i) => {
      const moved = Math.sqrt(chosen.reduce((sum, { values }) => sum + (values[i] - last[i]) ** 2 / chosen.length, 0));
      return 0.93 * Math.max(0.3 * width, Math.min(1.3 * width, 0.6 * width + 0.4 * moved));
    });
    console.error(`${emotion} ${g + 1}/${generations}: ${best.cost.toFixed(3)}`);
  }
  return Object.fromEntries(names.map((name, i) => [name, Math.round(best.values[i] * 100) / 100]));
}

function weightsOf(names, values) {
  const weights = new Array(arkitCount).fill(0);
  for (const [i, name] of names.entries()) {
    for (const at of [name, `${name}Left`, `${name}Right`].map(arkitIndex)) if (at >= 0) weights[at] = values[i];
  }
  return weights;
}

function gaussian(seed) {
  let state = seed;
  const uniform = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
