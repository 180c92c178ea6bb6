/** Layers without state, as PyTorch's `torch.nn.functional`: tensors first, optional arguments in an options object. */
export * from './activation.js';
export * from './attention.js';
export { dropout, dropout1d, dropout2d, dropout3d, dropPath, featureDropout } from './dropout.js';
export * from './linear.js';
export * from './loss.js';
export * from './pooling.js';
export * from './vision.js';
