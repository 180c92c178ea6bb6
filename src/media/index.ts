/// <reference lib="esnext.disposable" preserve="true" />
/** Audio, video and pictures: decoding and encoding, WAV files, faces, and spectral features on tensors. */
export { type Audio, type AudioOptions, readAudio, readAudioChunks } from './audio.js';
export type { ReadOptions } from './decode.js';
export * from './faces/index.js';
export { type FFmpegInfo, ffmpegInfo } from './ffmpeg.js';
export { type FrameOptions, type RgbImage, readFrames, type VideoFrame } from './frames.js';
export { imageExtensions, isImageName } from './images/names.js';
export { readImage, writeImage } from './images/read-image.js';
export { type AudioInfo, type MediaExtent, type MediaInfo, mediaExtent, mediaInfo, type VideoInfo } from './info.js';
export { encodePng } from './png.js';
export { resample, resampleChunks } from './resampler.js';
export type { SoundSource } from './sound-feed.js';
export * from './spectral/index.js';
export { TruncatedError } from './truncated.js';
export { encodeWav, parseWav, readWav, type WavAudio, type WavEncoding, writeWav } from './wav.js';
export { type VideoTarget, videoTarget, type WriteVideoOptions, writeVideo } from './write-video.js';
