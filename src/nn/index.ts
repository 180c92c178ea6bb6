/// <reference lib="esnext.disposable" preserve="true" />
export * from './activation.js';
export * from './attention.js';
export * from './channels.js';
export type { Copy } from './clone.js';
export * from './containers.js';
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeOptions,
  type PaddingMode,
  type Size,
} from './conv.js';
export * from './distance.js';
export * from './dropout.js';
export * from './embedding.js';
export * from './embedding-bag.js';
export { EqualizedConv2d, type EqualizedConvOptions, EqualizedLinear, type EqualizedOptions } from './equalized.js';
export * as functional from './functional/index.js';
export type { ForwardHook, ForwardPreHook, FullBackwardHook } from './hooks.js';
export * as init from './init.js';
export { buildSeeded, constructSeeded, initialiseUnwritten, skipInit } from './initial.js';
export * from './instancenorm.js';
export { Bilinear, type BilinearOptions, Identity, Linear, type LinearOptions } from './linear.js';
export * from './loss.js';
export * from './margin-losses.js';
export * from './modulated.js';
export {
  type FactoryOptions,
  Module,
  type MoveOptions,
  type UnaryModule,
} from './module.js';
export * from './norm.js';
export * from './padding.js';
export { Parameter } from './parameter.js';
export * from './parameter-dict.js';
export * from './pooling.js';
export { type SpectralNormOptions, spectralNorm, type WeightNormOptions, weightNorm } from './reparametrization.js';
export { GRU, LSTM, type LstmState, type RnnOptions, type SequenceOptions } from './rnn.js';
export {
  GRUCell,
  LSTMCell,
  type PlainRnnOptions,
  RNN,
  RNNCell,
  type RnnCellOptions,
  type RnnNonlinearity,
} from './rnn-cells.js';
export * from './shape.js';
export type { LoadResult } from './state-dict.js';
export { StepGenerators } from './step-generators.js';
export type { SumGroup } from './sync-norm.js';
export {
  type EncodeOptions,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerEncoderLayerOptions,
} from './transformer.js';
export * from './transformer-decoder.js';
