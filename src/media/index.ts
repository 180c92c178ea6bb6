/** Audio and video: decoding and encoding through FFmpeg, WAV files, and spectral features on tensors. */
export { type FFmpegInfo, ffmpegInfo } from './ffmpeg.js';
