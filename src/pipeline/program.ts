/**
 * A program from the side of a thread: what makes its stages and has its own part in the loop. The engine knows programs by
 * the modules that make them (chain-program.ts is one), and imports none.
 */
import type { Tensor } from '../torch/index.js';
import type { LoopContext } from './loop.js';
import type { Post } from './post.js';
import type { Stage } from './stage.js';
import type { ThreadJob } from './wiring.js';

export interface Program<Work extends Stage = Stage> {
  /** In the order of the job's stations. */
  readonly stages: readonly Work[];
  readonly context: LoopContext<Work>;
  /** Called when the thread has told of an error. */
  failed?(at: {
    readonly stage: number;
    readonly action: string | null;
    readonly step: number | null;
    readonly message: string;
  }): void;
  /** Called when the work is done. */
  close?(): void;
}

/** What a program's module exports. */
export interface ProgramModule {
  /**
   * @param post - tells the thread that started the run
   * @param tensors - what the program begins with
   */
  program(job: ThreadJob, post: Post<object>, tensors: readonly Tensor[]): Program | Promise<Program>;
}
