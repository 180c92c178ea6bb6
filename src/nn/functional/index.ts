/** Layers without state, as PyTorch's `torch.nn.functional`: tensors first, optional arguments in an options object. */
export * from './activation.js';
export { type AttentionOptions, attentionWeights, scaledDotProductAttention } from './attention.js';
export { dropout, dropout1d, dropout2d, dropout3d, dropPath, featureDropout } from './dropout.js';
export * from './linear.js';
export * from './loss.js';
export * from './margin.js';
export {
  type BatchNormArguments,
  type BatchNormReluArguments,
  batchNorm,
  batchNormRelu,
  groupNorm,
  instanceNorm,
  layerNorm,
} from './norm.js';
export * from './penalty.js';
export * from './pooling.js';
export * from './power.js';
export * from './resample.js';
export * from './vision.js';
