/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Headrace: deep models from TypeScript on libtorch. The map of the package:
 *
 * - `headrace` and `headrace/torch`: tensors, operators, autograd, scopes, generators, queues
 * - `headrace/nn`, `headrace/optim`: modules, losses, optimizers, with PyTorch's names
 * - `headrace/data`, `headrace/io`: data sets, loaders, transforms; safetensors, NumPy, MATLAB and IDX files
 * - `headrace/media`, `headrace/features`: sound and video; rows of features of speech and faces, utterances, recognition
 * - `headrace/text`: words and word pieces, word vectors, BERT
 * - `headrace/distributed`: ranks: processes that exchange tensors, on one machine or many
 * - `headrace/pipeline`: models cut into stages, trained by local learning or backprop pipelines
 * - `headrace/vision`: ResNets, ViTs, image data sets, recipes
 * - `headrace/sentiment`: multimodal sentiment
 */
export * as data from './data/index.js';
export * as io from './io/index.js';
export * as nn from './nn/index.js';
export * as optim from './optim/index.js';
export * from './torch/index.js';
