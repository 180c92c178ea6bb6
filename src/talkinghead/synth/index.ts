/** Faces drawn without a photograph, with labels. */
export { FaceStage, type StageOptions } from './stage.js';
export {
  SyntheticFace,
  type SyntheticFaceOptions,
  type SyntheticFrame,
  type SyntheticFrameOptions,
} from './synthetic-face.js';
export { type HairStyle, hairStyles, type PersonTraits } from './traits.js';
