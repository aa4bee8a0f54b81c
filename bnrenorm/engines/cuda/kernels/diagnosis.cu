// What batch renormalisation did to a layer: norm.diagnosis for every replica.

const int QUANTILES = 3, VALUES = 12;

// Sort `size` values, a power of two, in shared memory, by the threads of a block [Batcher 1968].
__device__ void sort(real* values, int size) {
  for (int run = 2; run <= size; run *= 2) {
    for (int step = run / 2; step; step /= 2) {
      __syncthreads();
      for (int i = threadIdx.x; i < size; i += THREADS) {
        const int other = i ^ step;
        if (other < i) continue;
        const real a = values[i], b = values[other];
        if ((a > b) == ((i & run) == 0)) values[i] = b, values[other] = a;
      }
    }
  }
  __syncthreads();
}

// The sum over a block of 256 threads, in all of them.
__device__ double block_sum(double value) {
  __shared__ double sums[LANES];
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = value;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < LANES; i++) sum += sums[i];
  return sum;
}

// Set values (R, VALUES) from stats (R, groups, STATISTICS, K): the quantiles .05, .5 and .95 of r and of d; the shares of
// nodes whose unclipped r is above r_max, or below 1 / r_max, and whose unclipped d is above d_max, or below -d_max; and
// the means of |mean - run_mean| / run_std and |log(std / run_std)|. schedule (R, COLUMNS). Dynamic shared memory:
// `size` reals, a power of two of at least groups K. Grid (R).
extern "C" __global__ void __launch_bounds__(THREADS)
    diagnose(const real* stats, int groups, int K, int size, const real* schedule, double* values) {
  extern __shared__ __align__(16) char memory[];
  real* sorted = (real*)memory;
  const int r = blockIdx.x, count = groups * K;
  const real* own = stats + (wide)r * groups * STATISTICS * K;
  const real r_max = schedule[r * COLUMNS + R_MAX], d_max = schedule[r * COLUMNS + D_MAX], low = 1 / r_max;
  double* out = values + (wide)r * VALUES;
  const double quantiles[QUANTILES] = {0.05, 0.5, 0.95};
  for (int kind = 0; kind < 2; kind++) {
    for (int i = threadIdx.x; i < size; i += THREADS)
      sorted[i] = i < count ? own[(i / K * STATISTICS + (kind ? D_ : R_)) * K + i % K] : -LOWEST;
    sort(sorted, size);
    if (threadIdx.x < QUANTILES) {
      const double at = quantiles[threadIdx.x] * (count - 1);
      const int below = (int)at, above = min(below + 1, count - 1);
      out[kind * QUANTILES + threadIdx.x] = sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
    __syncthreads();
  }
  double sums[6] = {0, 0, 0, 0, 0, 0};
  for (int i = threadIdx.x; i < count; i += THREADS) {
    const real* node = own + i / K * STATISTICS * K + i % K;
    const real ratio = node[STD * K] / node[RUN_STD * K];
    const real distance = (node[MEAN * K] - node[RUN_MEAN * K]) / node[RUN_STD * K];
    sums[0] += ratio > r_max, sums[1] += ratio < low, sums[2] += distance > d_max, sums[3] += distance < -d_max;
    sums[4] += fabs(distance), sums[5] += fabs(log(ratio));
  }
  for (int i = 0; i < 6; i++) {
    const double sum = block_sum(sums[i]);
    if (threadIdx.x == 0) out[2 * QUANTILES + i] = sum / count;
  }
}
