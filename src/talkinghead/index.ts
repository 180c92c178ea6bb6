/// <reference lib="esnext.disposable" preserve="true" />
/** Talking heads: a model of the face, and tracks of its motion. */
export * from './face/index.js';
export * from './motion/index.js';
