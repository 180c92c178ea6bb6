/** Photographs and videos of faces, fitted by the face model. */
export { FaceFit, type FaceFitValues, type FitCamera, type FitResidual } from './face-fit.js';
export { type FaceLandmarks, type FitFaceOptions, fitFace, fitFaces, type PictureSize } from './fit-face.js';
export { type FitPhotographOptions, fitPhotograph, fitPhotographs } from './fit-photograph.js';
export { type FittedMotion, MotionFitter, type MotionFitterOptions, type ReadFace } from './motion-fitter.js';
export { fitSheet } from './sheet.js';
export { type TrackMotionOptions, trackMotion } from './track-motion.js';
