/** Probabilities that are as often right as they say, and from which one on something is said at all. */

/**
 * The temperature by which logits are divided so that the true classes are likeliest (Guo et al., arXiv 1706.04599).
 * @param logits - of each sample; @param truth - its class
 */
export function fitTemperature(logits: readonly (readonly number[])[], truth: readonly number[]): number {
  const surprise = (logTemperature: number): number => {
    const temperature = Math.exp(logTemperature);
    return logits.reduce((sum, row, i) => {
      const greatest = Math.max(...row);
      const all = row.reduce((part, value) => part + Math.exp((value - greatest) / temperature), 0);
      return sum + Math.log(all) - (row[truth[i]!]! - greatest) / temperature;
    }, 0);
  };
  // It falls and rises once.
  let [low, high] = [Math.log(0.1), Math.log(10)];
  for (let i = 0; i < 60; i++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    if (surprise(a) < surprise(b)) high = b;
    else low = a;
  }
  return Math.exp((low + high) / 2);
}

/** The threshold with the best F1 of one label. @param probabilities - of each sample; @param truth - whether it has the label */
export function fitThreshold(probabilities: readonly number[], truth: readonly boolean[]): number {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!);
  const support = truth.filter(Boolean).length;
  let [hits, best, threshold] = [0, 0, 0.5];
  for (const [i, sample] of order.entries()) {
    if (truth[sample]) hits++;
    const next = probabilities[order[i + 1] ?? sample]!;
    const f1 = (2 * hits) / (i + 1 + support);
    if (f1 <= best || next === probabilities[sample]!) continue;
    best = f1;
    threshold = (probabilities[sample]! + next) / 2;
  }
  return threshold;
}

/** The mean distance of how sure and how right, over ten ranges of how sure (arXiv 1706.04599). */
export function calibrationError(confidences: readonly number[], right: readonly boolean[]): number {
  const ranges = Array.from({ length: 10 }, () => ({ sure: 0, right: 0 }));
  for (const [i, confidence] of confidences.entries()) {
    const range = ranges[Math.min(9, Math.floor(confidence * 10))]!;
    range.sure += confidence;
    range.right += right[i] ? 1 : 0;
  }
  return ranges.reduce((sum, range) => sum + Math.abs(range.sure - range.right), 0) / confidences.length;
}
