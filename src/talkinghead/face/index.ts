/** The face model: shapes of people and expressions. */
export { type ArkitName, arkitCount, arkitIndex, arkitMirror, arkitNames, arkitWeights, ictShapes } from './arkit.js';
export { type EyeAngles, eyeAngles, eyeTravel } from './eyes.js';
export { type FacePiece, type FaceRange, facePieces, shippedFace } from './face-file.js';
export {
  type ExpressionShapes,
  FaceModel,
  type FaceOptions,
  type FacePart,
  type IdentityShapes,
} from './face-model.js';
