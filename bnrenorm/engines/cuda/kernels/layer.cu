// Sums over the nodes of an image, for layer normalisation [LN16]. After `norm.cu`.

// Set row_stats (R, N, 2): mean and std of every row of a (R, N, K), for layer normalisation. A warp a row. [LN16]
extern "C" __global__ void __launch_bounds__(THREADS)
    row_moments(const real* a, int n, int K, wide rows, const real* hyper, real* row_stats) {
  const wide row = (wide)blockIdx.x * LANES + threadIdx.y;
  if (row >= rows) return;
  const real* values = a + row * K;
  double sum = 0;
  for (int k = threadIdx.x; k < K; k += WARP) sum += values[k];
  const real mean = warp_sum(sum) / K;
  real squares = 0;
  for (int k = threadIdx.x; k < K; k += WARP) squares += (values[k] - mean) * (values[k] - mean);
  squares = warp_sum(squares);
  if (threadIdx.x) return;
  row_stats[2 * row] = mean;
  row_stats[2 * row + 1] = sqrt(squares / K + hyper[row / n * HYPER + EPS]);
}

// Set row_sums (R, N, 2): means over a row of g gamma, and of g gamma times the normalised value. A warp a row. [LN16]
extern "C" __global__ void __launch_bounds__(THREADS)
    row_gradients(const real* gy, const real* y, const real* a, const real* row_stats, const real* gamma, int affine,
                  int norm_first, int n, int K, wide rows, const int* ranks, int stride, const int* seed_of,
                  const int* kept, real* row_sums) {
  const wide row = (wide)blockIdx.x * LANES + threadIdx.y;
  if (row >= rows) return;
  const int r = row / n;
  const real mean = row_stats[2 * row], std = row_stats[2 * row + 1];
  real sum = 0, sum_hat = 0;
  for (int k = threadIdx.x; k < K; k += WARP) {
    const wide at = row * K + k;
    const bool own_kept = is_kept(ranks, stride, seed_of, kept, r, k);
    const real g = upstream(gy, y, at, norm_first, own_kept) * affine_of(gamma, affine, r, k, K, 1);
    sum += g, sum_hat += g * ((a[at] - mean) / std);
  }
  sum = warp_sum(sum), sum_hat = warp_sum(sum_hat);
  if (threadIdx.x == 0) row_sums[2 * row] = sum / K, row_sums[2 * row + 1] = sum_hat / K;
}
