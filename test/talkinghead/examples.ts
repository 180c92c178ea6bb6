/** The portraits and lines that come with the project. */
import path from 'node:path';
import { root } from '../house/repository.js';

export const example = (name: string): string => path.join(root, 'examples', name);
