import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differenceWeights, multitaskLoss } from 'headrace/sentiment';
import { gradcheck, type Tensor } from 'headrace/torch';
import { assertNear, f64 } from './support.js';

const multimodal = [1.4, -0.8];
/** The golden text labels after epoch 4, by the momentum rule from the golden new label. */
const generated = [0.8503672594, -0.5514227272];
const text = multimodal.map((label, i) => 0.1 * label + 0.9 * generated[i]!);

test('weights and weighted loss are the golden ones', () => {
  assertNear(text, [0.9053305335, -0.5762804545]);
  assertNear(differenceWeights(f64(text), f64(multimodal)), [0.4579146589, 0.2200603653]);
  const tasks = { text: { prediction: f64([0.5, 0.1]), label: f64(text) } };
  const loss = multitaskLoss({ prediction: f64(multimodal), label: f64(multimodal) }, tasks);
  assertNear(loss.unimodal.text!, 0.16721465843869537);
  assert.equal(loss.multimodal.item(), 0);
  assertNear(loss.total, 0.16721465843869537);
});

test('the whole is the sum of its tasks with their factors', () => {
  const [label, other] = [f64([1, -2]), f64([0.5, 3])];
  const whole = { prediction: f64([2, -2.5]), label };
  const audio = { prediction: f64([[1], [1]]), label: other };
  const unweighted = multitaskLoss(whole, { audio }, { weighting: 'uniform' });
  assertNear([unweighted.multimodal.item(), unweighted.unimodal.audio!.item()], [0.75, 1.25], 1e-12);
  const scaled = multitaskLoss(whole, { audio }, { weighting: 'uniform', taskWeights: { audio: 0.1, multimodal: 2 } });
  assertNear(scaled.total, 1.625, 1e-12);
  const weighted = multitaskLoss(whole, { audio });
  assertNear(weighted.unimodal.audio!, (Math.tanh(0.5) * 0.5 + Math.tanh(5) * 2) / 2, 1e-12);
  assertNear(multitaskLoss(whole).total, 0.75, 1e-12);
});

test('a unimodal task whose labels are the multimodal ones costs nothing and teaches nothing', () => {
  const label = f64(multimodal);
  const prediction = f64([3, 3], true);
  const { total, unimodal } = multitaskLoss({ prediction: f64([0, 0]), label }, { text: { prediction, label } });
  assert.equal(unimodal.text!.item(), 0);
  total.backward();
  assertNear(prediction.grad!, [0, 0], 0);
});

test('gradients are those of the values, and none goes into the labels', () => {
  const labels = f64([0.3, -0.9, 2], true);
  const own = f64([1, -1, 1.5], true);
  const loss = (whole: Tensor, part: Tensor) =>
    multitaskLoss({ prediction: whole, label: own }, { text: { prediction: part, label: labels } }).total;
  const inputs = [f64([0.4, 0.2, -0.7], true), f64([[1.2], [0.1], [0.3]], true)];
  assert.ok(gradcheck(loss, inputs, { atol: 1e-8 }));
  loss(inputs[0]!, inputs[1]!).backward();
  assert.equal(labels.grad, null);
  assert.equal(own.grad, null);
});

test('a batch of one works, and shapes that would broadcast are refused', () => {
  const one = { prediction: f64([[0.5]]), label: f64([1]) };
  assertNear(multitaskLoss(one, { text: one }).total, 0.5, 1e-15);
  const label = f64([1, 2, 3]);
  const square = { prediction: f64([[1, 2, 3]]), label };
  assert.throws(() => multitaskLoss(square), /predictions of multimodal \[3\] or \[3, 1\], got \[1,3\]/);
  const whole = { prediction: label, label };
  const short = { prediction: f64([1]), label: f64([1]) };
  assert.throws(() => multitaskLoss(whole, { text: short }), /predictions of text \[3\] or \[3, 1\], got \[1\]/);
  assert.throws(() => multitaskLoss({ prediction: f64([]), label: f64([]) }), /\[batch\] or \[batch, 1\], got \[0\]/);
  assert.throws(
    () => multitaskLoss(whole, {}, { taskWeights: { text: 1 } }),
    /weights of multimodal, got one of 'text'/,
  );
  assert.throws(
    () => multitaskLoss(whole, {}, { taskWeights: { multimodal: -1 } }),
    /weight of multimodal from 0, got -1/,
  );
  assert.throws(() => multitaskLoss(whole, {}, { weighting: 'none' as 'uniform' }), /'uniform', got 'none'/);
});
