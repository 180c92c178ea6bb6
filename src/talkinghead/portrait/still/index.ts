/** What is made once of a photograph's pixels. */
export { fillBackground, type Layers, splitLayers } from './background.js';
export { closedEyes, type EyeToClose } from './closed-eyes.js';
export { type Grain, grainOf } from './grain.js';
export { inpaint } from './inpaint.js';
export { type LightOptions, lightOf, type PhotographLight } from './light.js';
export { type LipLine, type LipLineOptions, lipLine } from './lip-line.js';
export { type MouthColourOptions, type MouthColours, mouthColours } from './mouth-colours.js';
export { type PersonMask, personMask } from './person-mask.js';
export { type OwnTeeth, ownTeeth } from './teeth.js';
export type { PicturedHead, Rgb } from './types.js';
