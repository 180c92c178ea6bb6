/**
 * The person whose landmarks are the mean of real people's, as the networks of `headrace/media` find them: coefficients of
 * `FaceModel.identity`. The model's own mean face has its landmarks elsewhere: people would be fitted with a mouth pursed by a
 * quarter and a head bowed by five degrees.
 *
 * Derived from 24 people (GRID, MEAD, and talks on the web), the mean of each over frames with a closed mouth, a neutral
 * expression and a yaw below 10 degrees; of these, turned level and scaled, the mean and that of its mirror image. It was fitted
 * without expressions, with standard deviations of 1.2 % for eyes and lips, at a pitch of -1 degree, which is what the fits of
 * another face model (BFM) that come with some of the clips have on average.
 */
export const meanPerson: readonly number[] = [
  0.43, -1.05, 0.23, 0.78, -0.33, 1.18, -0.03, 0.14, 0.03, 3.19, 1.65, 0.8, -1.75, 1.54, 0.31, -0.25, -0.5, 2.42, -1.21,
  0.62, -2.05, 0, -1.14, -1.33, -0, -0.07, -0.46, -0.02, 0.81, -1.19, -0.76, 0.07, 0.43, -0.68, -0, -0.2, 0.01, 0.06,
  0.12, -0.29, -0.43, 0.32, -0.03, -0.84, 0.66, 0.24, -0.68, -0.84, 0.01, 0.64,
];
