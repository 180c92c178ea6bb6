/**
 * How a unimodal label is made from a multimodal one (Self-MM: Yu et al., "Learning Modality-Specific Representations
 * with Self-Supervised Multi-Task Learning for Multimodal Sentiment Analysis", AAAI 2021). Where the paper and its
 * published code differ, the code is followed, since the published numbers are its.
 */
import { ConfigError, type Tensor } from '../torch/index.js';

const EPSILON = 1e-8;

/**
 * How much nearer each row is to the positive centre than to the negative one: (D⁻ - D⁺) / (D⁺ + 1e-8), with Euclidean
 * distances. Above 0 on the positive side, never below -1.
 * @param features - [batch, width]
 * @param centres - [2, width]: the positive one, the negative one
 * @returns [batch]
 */
export function relativeDistance(features: Tensor, centres: Tensor): Tensor {
  const [positive, negative] = [0, 1].map((sign) => features.sub(centres.select(0, sign)).norm(2, [1]));
  return negative!.sub(positive!).div(positive!.add(EPSILON));
}

/**
 * A modality's new labels: the multimodal one, moved by how much further to one side the modality's features lie than
 * the fused ones, as a ratio and as a difference, half each.
 * y = ½ · α_s / (α_m + 1e-8) · y_m + ½ · (y_m + α_s - α_m), in [-limit, limit]
 * @param unimodal - α_s, {@link relativeDistance} of the modality's features [batch]
 * @param multimodal - α_m, that of the fused features [batch]
 * @param label - y_m [batch]
 */
export function generateLabels(unimodal: Tensor, multimodal: Tensor, label: Tensor, limit: number): Tensor {
  const ratio = unimodal.div(multimodal.add(EPSILON)).mul(label);
  const difference = label.add(unimodal).sub(multimodal);
  return ratio.add(difference).mul(0.5).clamp(-limit, limit);
}

/**
 * The labels of an epoch: (e-1)/(e+1) of the ones before, 2/(e+1) of the new ones. After epoch e, what epoch j gave
 * has the weight 2j / (e(e+1)), so that late labels, made from better features, count for more.
 * @param epoch - from 1
 */
export function momentumLabels(previous: Tensor, generated: Tensor, epoch: number): Tensor {
  expectEpoch(epoch);
  return previous.mul((epoch - 1) / (epoch + 1)).add(generated.mul(2 / (epoch + 1)));
}

export function expectEpoch(epoch: number): void {
  if (!Number.isInteger(epoch) || epoch < 1) throw new ConfigError(`Expected epochs counted from 1, got ${epoch}`);
}
