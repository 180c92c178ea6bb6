/** Photographs that move. */
export { Portrait, type PortraitMotion, type PortraitOptions, type PortraitRest } from './portrait.js';
