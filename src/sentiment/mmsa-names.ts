/** What MMSA calls things that are the same here: recipes, settings, scores. */

import type { Run, Summary } from '../report/statistics.js';
import type { MetricName } from './metrics.js';

/** A recipe by MMSA's spelling: `self_mm` is `self-mm`. */
export const plainRecipe = (name: string): string => name.replaceAll('_', '-');

const parts = { bert: 'text', audio: 'audio', video: 'vision', other: 'other' } as const;
const heads = { fusion: 'multimodal', text: 'text', audio: 'audio', video: 'vision' } as const;

const byPart = (name: string, field: string): [string, string][] =>
  Object.entries(parts).map(([theirs, ours]) => [`${name}_${theirs}`, `groups.${ours}.${field}`]);

const byHead = (name: string, field: string): [string, string][] =>
  Object.entries(heads).map(([theirs, ours]) => [`post_${theirs}_${name}`, `modelOptions.${field}.${ours}`]);

/** Paths of a configuration by MMSA's names, where both mean the same. Those of widths are Self-MM's. */
export const mmsaSettings: Readonly<Record<string, string>> = {
  batch_size: 'batchSize',
  early_stop: 'patience',
  update_epochs: 'accumulate',
  grad_clip: 'clipNorm',
  excludeZero: 'unimodal.excludeZero',
  rank: 'modelOptions.rank',
  alpha: 'modelOptions.weights.contrast',
  beta: 'modelOptions.weights.bound',
  add_va: 'modelOptions.visionAudio',
  d_ah: 'modelOptions.hidden.audio',
  d_vh: 'modelOptions.hidden.vision',
  d_aout: 'modelOptions.out.audio',
  d_vout: 'modelOptions.out.vision',
  d_prjh: 'modelOptions.width',
  dropout_prj: 'modelOptions.dropout',
  dst_feature_dims: 'modelOptions.width',
  nheads: 'modelOptions.heads',
  attn_dropout: 'modelOptions.attentionDropout.text',
  attn_dropout_a: 'modelOptions.attentionDropout.audio',
  attn_dropout_v: 'modelOptions.attentionDropout.vision',
  text_dropout: 'modelOptions.textDropout',
  relu_dropout: 'modelOptions.reluDropout',
  embed_dropout: 'modelOptions.embedDropout',
  res_dropout: 'modelOptions.residualDropout',
  conv1d_kernel_size_l: 'modelOptions.kernel.text',
  conv1d_kernel_size_a: 'modelOptions.kernel.audio',
  conv1d_kernel_size_v: 'modelOptions.kernel.vision',
  dst_feature_hidden_dims: 'modelOptions.hidden',
  dst_embedding_length: 'modelOptions.tokens',
  AHL_depth: 'modelOptions.depth.hyper',
  fusion_layer_depth: 'modelOptions.depth.fusion',
  max_epochs: 'maxEpochs',
  beta_shift: 'modelOptions.betaShift',
  dropout_prob: 'modelOptions.dropout.gate',
  a_lstm_hidden_size: 'modelOptions.hidden.audio',
  v_lstm_hidden_size: 'modelOptions.hidden.vision',
  audio_out: 'modelOptions.out.audio',
  video_out: 'modelOptions.out.vision',
  a_lstm_dropout: 'modelOptions.rnnDropout.audio',
  v_lstm_dropout: 'modelOptions.rnnDropout.vision',
  ...Object.fromEntries([
    ...byPart('learning_rate', 'lr'),
    ...byPart('weight_decay', 'weightDecay'),
    ...byHead('dim', 'post'),
    ...byHead('dropout', 'dropout'),
  ]),
};

const scores: Readonly<Record<MetricName, string>> = {
  mae: 'MAE',
  corr: 'Corr',
  acc7: 'Mult_acc_7',
  acc5: 'Mult_acc_5',
  acc3: 'Mult_acc_3',
  acc2: 'Mult_acc_2',
  f1: 'F1_score',
  acc2Has0: 'Has0_acc_2',
  f1Has0: 'Has0_F1_score',
  acc2Non0: 'Non0_acc_2',
  f1Non0: 'Non0_F1_score',
  acc2Weak: 'Mult_acc_2_weak',
  r2: 'R_squre', // as MMSA spells it
};

/** A score as MMSA calls it; one that MMSA does not have, such as those of classes, keeps its name. */
export const mmsaScore = (name: string): string => (Object.hasOwn(scores, name) ? scores[name as MetricName] : name);

/** Scores by MMSA's names. */
export function mmsaScores<T extends Run | Readonly<Record<string, Summary>>>(run: T): T {
  return Object.fromEntries(Object.entries(run).map(([name, value]) => [mmsaScore(name), value])) as T;
}
