/// <reference lib="esnext.disposable" preserve="true" />
/** Talking heads: a model of the face, tracks of its motion, and pictures of it. */
export * from './animate/index.js';
export * from './evaluate/index.js';
export * from './face/index.js';
export * from './fit/index.js';
export * from './motion/index.js';
export * from './portrait/index.js';
export * from './portrait/still/index.js';
export * from './prepare/index.js';
export * from './render/index.js';
export * from './speak/index.js';
export * from './synth/index.js';
export * from './training/index.js';
export * from './voice/index.js';
