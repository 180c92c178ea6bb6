import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaceAnalyser } from 'headrace/media';
import {
  alignmentLoss,
  classificationMetrics,
  compareRuns,
  cutAtPauses,
  FeatureText,
  loadCsdFolder,
  loadLabelFolder,
  loadMeldFolder,
  loadMmsaNpz,
  loadMmsaPickle,
  loadMosiFolder,
  loadRecogniser,
  loadSentiment,
  multitaskLoss,
  readClip,
  readSentimentConfig,
  SeedRuns,
  SentimentBatches,
  SharedProjections,
  sentimentRecipe,
  sentimentRecipeNames,
  UnimodalLabels,
  WordEncoder,
  welchTest,
} from 'headrace/sentiment';
import { zeros } from 'headrace/torch';
import { smallConfig, smallData } from './train-support.js';

/** Options as a program without types gives them. */
const given = (options: object) => options as never;

test('every object of options refuses names that nobody reads, and says which was meant', async () => {
  const x = zeros([2, 2]);
  const task = { prediction: zeros([2]), label: zeros([2]) };
  const audio = { samples: new Float32Array(100), rate: 100 };
  const calls: [() => unknown, RegExp][] = [
    [() => alignmentLoss({ audio: x, vision: x }, given({ weigths: {} })), /alignmentLoss .* Did you mean weights\?/],
    [() => classificationMetrics([0], [0], given({ class: 3 })), /classificationMetrics .* Did you mean classes\?/],
    [() => compareRuns([], [], given({ alpha: 0.1 })), /compareRuns .* got alpha/],
    [() => welchTest([1, 2], [1, 2], given({ confidense: 0.9 })), /welchTest .* Did you mean confidence\?/],
    [() => cutAtPauses(audio, given({ min_pause: 1 })), /cutAtPauses .* Did you mean minPause\?/],
    [() => new FeatureText(4, given({ pooling: 'mean' })), /FeatureText .* Did you mean pool\?/],
    [() => loadLabelFolder('x', given({ rang: [0, 1] })), /loadLabelFolder .* Did you mean range\?/],
    [() => loadMeldFolder('x', given({ targt: 'emotion' })), /loadMeldFolder .* Did you mean target\?/],
    [() => loadMeldFolder('x', given({ target: 'mood' })), /target 'sentiment' or 'emotion', got 'mood'/],
    [() => loadMmsaPickle('x.pkl', given({ modality: ['audio'] })), /loadMmsaPickle .* got modality/],
    [() => loadMmsaNpz('x.npz', given({ max_memory: 5 })), /loadMmsaNpz .* Did you mean maxMemory\?/],
    [() => loadMosiFolder('x', given({ split: 'std', forced: true })), /loadMosiFolder .* Did you mean force\?/],
    [() => multitaskLoss(task, {}, given({ weights: {} })), /multitaskLoss .* got weights/],
    [() => new SharedProjections({ a: 2 }, 2, given({ freeze: true })), /SharedProjections .* Did you mean frozen\?/],
    [() => new WordEncoder(4, given({ layers: 2 })), /WordEncoder .* got layers/],
    [() => new SentimentBatches(smallData(), [0], given({ row: {} })), /SentimentBatches .* Did you mean rows\?/],
    [() => new SentimentBatches(smallData(), [0], given({ rows: { adio: 3 } })), /rows .* Did you mean audio\?/],
    [() => sentimentRecipe('ours', given({ modality: [] })), /sentimentRecipe .* got modality/],
    [
      () => new UnimodalLabels([['a', 1]], given({ widths: { multimodal: 1, text: 1 }, limit: 3, warm_up: 1 })),
      /UnimodalLabels .* Did you mean warmup\?/,
    ],
    [
      () => new SeedRuns(smallConfig('ours'), { format: 'csd', path: 'x' }, given({ seeds: [1], out: null, job: 2 })),
      /SeedRuns .* Did you mean jobs\?/,
    ],
  ];
  for (const [call, message] of calls) assert.throws(call, message, String(message));
  const promises: [Promise<unknown>, RegExp][] = [
    [loadCsdFolder('x', given({ aligned: 'none' })), /loadCsdFolder .* Did you mean align\?/],
    [loadCsdFolder('x', given({ files: { label: 'a.csd' } })), /loadCsdFolder, files .* Did you mean labels\?/],
    [loadSentiment(given({ format: 'csd', path: 'x', fold: 1 })), /loadCsdFolder .* Did you mean folds\?/],
    [readClip('x.wav', {}, given({ subtitle: 'x.srt' })), /Did you mean subtitles\?/],
    [loadRecogniser('x', given({ lang: 'en' })), /loadRecogniser .* got lang/],
    [FaceAnalyser.load(given({ detecter: 'ssd' })), /FaceAnalyser\.load .* Did you mean detector\?/],
  ];
  for (const [promise, message] of promises) await assert.rejects(promise, message, String(message));
});

test("recipes and settings go by MMSA's names, too, where they mean the same", () => {
  const set = { batch_size: 16, learning_rate_bert: 1e-5, weight_decay_video: 0.01, audio_out: 8, post_fusion_dim: 64 };
  const config = readSentimentConfig('self_mm', { set });
  assert.deepEqual(
    [config.model, config.batchSize, config.groups.text.lr, config.groups.vision.weightDecay],
    ['self-mm', 16, 1e-5, 0.01],
  );
  assert.deepEqual(config.modelOptions, { out: { audio: 8 }, post: { multimodal: 64 } });
  const text = { 'text.kind': 'features', 'text.pool': 'mean' };
  assert.deepEqual(readSentimentConfig('ours', { set: text }).text, { kind: 'features', pool: 'mean' });
  for (const name of sentimentRecipeNames) {
    assert.deepEqual(sentimentRecipe(name.replaceAll('-', '_')), sentimentRecipe(name), name);
  }
  assert.throws(() => readSentimentConfig('self_mm', { set: { batchsize: 3 } }), /Did you mean batchSize\?/);
});
