/** Pictures of meshes: a camera, triangles to pixels, light, and a photograph looked up in between its pixels. */
export { Camera, type CameraOptions, type HeadPlace, type HeadTurn } from './camera.js';
export type { Points, Triangles } from './mesh.js';
export { vertexNormals } from './mesh.js';
export { type DrawOptions, type InterpolateOptions, Raster } from './raster.js';
export { type SampleOptions, sample } from './sample.js';
export { directionalLight, shade, sphericalHarmonics } from './shading.js';
