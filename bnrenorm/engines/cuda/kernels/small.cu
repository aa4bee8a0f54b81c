// A step of networks with one hidden layer and batches of N images in two launches. N is a constant, so that loops over
// the images unroll and a node's activations stay in registers. `middle` does all but the first layer's weights, a block
// a replica; `first` walks over those weights once, to update them and to multiply them with the next batch: they and
// their velocities pass through memory once a step, and images are read where they lie. ROWS, the rows that a warp of
// `first` takes at a time, is a constant, too. After `update.cu`.
//
// The optimizer is SGD or MOMENTUM. Batch row n of replica r is the image index[seed_of[r], n], rows being `stride` apart.

struct __align__(16) Four {
  real x, y, z, w;
};

__device__ __forceinline__ void add(Four& sum, real factor, const Four& a) {
  sum.x = fma(factor, a.x, sum.x), sum.y = fma(factor, a.y, sum.y);
  sum.z = fma(factor, a.z, sum.z), sum.w = fma(factor, a.w, sum.w);
}

// The sum and the products of four pairs.
__device__ __forceinline__ real dot(real sum, const Four& a, const Four& b) {
  return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

// The optimizer's step of four weights a by their gradient t; v: their velocities, 0 without momentum.
__device__ __forceinline__ void move(real lr, real momentum, real l2, real l1, Four t, Four& a, Four& v) {
  if (l2 != 0 || l1 != 0) {
    t.x = decayed(t.x, a.x, l2, l1), t.y = decayed(t.y, a.y, l2, l1);
    t.z = decayed(t.z, a.z, l2, l1), t.w = decayed(t.w, a.w, l2, l1);
  }
  v = {momentum * v.x, momentum * v.y, momentum * v.z, momentum * v.w};
  add(v, -lr, t);
  add(a, 1, v);
}

__device__ __forceinline__ void load(Four* x, const real* images, int D, const int* index, int stride, int seed) {
  for (int i = threadIdx.x; i < N * (D / 4); i += THREADS) {
    const int n = i / (D / 4), q = i % (D / 4);
    x[i] = ((const Four*)(images + (wide)index[(wide)seed * stride + n] * D))[q];
  }
}

// With `index`: move w (R, K, D) and its velocity v by the gradient dy^T x of that batch, dy (R, N, K). With `next`: set
// y (R, N, K) to the products of that batch with w. D is divisible by 4. Dynamic shared memory: 2 N D reals. Grid
// (any, R), blocks of 256; a warp takes ROWS rows of w at a time, for which it reads the images once.
extern "C" __global__ void __launch_bounds__(THREADS)
    first(const real* __restrict__ images, int D, const int* __restrict__ index, const int* __restrict__ next, int stride,
          const int* __restrict__ seed_of, int optimizer, const real* __restrict__ hyper,
          const real* __restrict__ schedule, const real* __restrict__ dy, int K, real* __restrict__ w,
          real* __restrict__ v, real* __restrict__ y) {
  extern __shared__ __align__(16) char memory[];
  Four *x = (Four*)memory, *x_next = x + N * (D / 4);
  const int r = blockIdx.y, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (index) load(x, images, D, index, stride, seed_of[r]);
  if (next) load(x_next, images, D, next, stride, seed_of[r]);
  __syncthreads();
  const real *own = hyper + r * HYPER, lr = schedule[r * COLUMNS + LR];
  const real momentum = own[MOMENTUM_OF], l2 = own[L2], l1 = own[L1];
  const int apart = gridDim.x * LANES;
  const bool has_velocity = index && optimizer == MOMENTUM;
  for (int first_row = blockIdx.x * LANES + warp; first_row < K; first_row += ROWS * apart) {
    Four *weights[ROWS], *velocities[ROWS];
    real g[ROWS][N], sum[ROWS][N];
    bool inside[ROWS];
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
      const int k = first_row + row * apart;
      inside[row] = k < K;
      weights[row] = (Four*)(w + ((wide)r * K + k) * D), velocities[row] = (Four*)(v + ((wide)r * K + k) * D);
#pragma unroll
      for (int n = 0; n < N; n++) g[row][n] = 0, sum[row][n] = 0;
      if (index && inside[row])
#pragma unroll
        for (int n = 0; n < N; n++) g[row][n] = dy[((wide)r * N + n) * K + k];
    }
    for (int q = lane; q < D / 4; q += WARP) {
      Four a[ROWS] = {}, b[ROWS] = {};
#pragma unroll
      for (int row = 0; row < ROWS; row++) {
        if (inside[row]) a[row] = weights[row][q];
        if (inside[row] && has_velocity) b[row] = velocities[row][q];
      }
      if (index) {
        Four t[ROWS] = {};
#pragma unroll
        for (int n = 0; n < N; n++) {
          const Four p = x[n * (D / 4) + q];
#pragma unroll
          for (int row = 0; row < ROWS; row++) add(t[row], g[row][n], p);
        }
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
          move(lr, momentum, l2, l1, t[row], a[row], b[row]);
          if (inside[row]) weights[row][q] = a[row];
          if (inside[row] && has_velocity) velocities[row][q] = b[row];
        }
      }
      if (next) {
#pragma unroll
        for (int n = 0; n < N; n++) {
          const Four p = x_next[n * (D / 4) + q];
#pragma unroll
          for (int row = 0; row < ROWS; row++) sum[row][n] = dot(sum[row][n], a[row], p);
        }
      }
    }
    if (!next) continue;
#pragma unroll
    for (int row = 0; row < ROWS; row++)
#pragma unroll
      for (int n = 0; n < N; n++) {
        const real total = warp_sum(sum[row][n]);
        if (lane == 0 && inside[row]) y[((wide)r * N + n) * K + first_row + row * apart] = total;
      }
  }
}

// A hidden node over the batch: the input a of its normalisation, and how that maps it.
struct Node {
  real a[N], scale, shift;
  Moments m;
};

__device__ __forceinline__ Node node_of(const real* y, int r, int k, int K, real bias, int norm, int norm_first,
                                        int track_std, real eps, const real* limits, real run_mean, real run_scale,
                                        real gamma, real beta) {
  Node o;
  double sum = 0;
#pragma unroll
  for (int n = 0; n < N; n++) {
    const real value = y[((wide)r * N + n) * K + k] + bias;
    o.a[n] = !norm_first && value < 0 ? 0 : value;
    sum += o.a[n];
  }
  o.scale = 1, o.shift = 0, o.m = {0, 1, 0, 0, 1, 1, 0};
  if (norm != BATCH) return o;
  o.m.mean = sum / N, o.m.run_mean = run_mean, o.m.run_std = running_std(run_scale, eps, track_std);
  real squares = 0;
#pragma unroll
  for (int n = 0; n < N; n++) squares = fma(o.a[n] - o.m.mean, o.a[n] - o.m.mean, squares);
  o.m.var = squares / N, o.m.std = sqrt(o.m.var + eps);
  correct(o.m, limits[R_MAX], limits[D_MAX]);
  o.scale = gamma * o.m.r / o.m.std, o.shift = gamma * o.m.d + beta;
  return o;
}

// From the products y (R, N, K) of the first layer: loss and accuracy, added to sums (R, 2); the backward pass down to dy
// (R, N, K); the running statistics; and the updates of every parameter but w. Every p is followed by its velocity, which
// SGD has not. norm: NONE or BATCH; affine: NODE or FIXED. stats (R, 1, STATISTICS, K) or null: the statistics. Dynamic
// shared memory: N (K + C) reals. Grid (R), blocks of 256.
extern "C" __global__ void __launch_bounds__(THREADS)
    middle(const int* __restrict__ labels, const int* __restrict__ index, int stride, const int* __restrict__ seed_of,
           int optimizer, const real* __restrict__ hyper, const real* __restrict__ schedule, const real* __restrict__ y,
           real* __restrict__ dy, int K, int C, int norm, int affine, int norm_first, int track_std, real* b1, real* v_b1,
           real* gamma, real* v_gamma, real* beta, real* v_beta, real* run_mean, real* run_scale,
           real* __restrict__ w2, real* __restrict__ v_w2, real* b2, real* v_b2, real* stats, double* sums) {
  extern __shared__ __align__(16) char memory[];
  __shared__ double losses[N];
  __shared__ int hits[N];
  real *h = (real*)memory, *g = h + N * K;  // (N, K): the hidden layer's output; (N, C): logits, then their gradient
  const int r = blockIdx.x, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  const real *own = hyper + r * HYPER, *limits = schedule + r * COLUMNS, eps = own[EPS];
  const real lr = limits[LR], affine_lr = limits[AFFINE_LR];

#define NODE_OF(k)                                                                                                    \
  node_of(y, r, k, K, b1[(wide)r * K + k], norm, norm_first, track_std, eps, limits,                                  \
          norm == BATCH ? run_mean[(wide)r * K + k] : 0, norm == BATCH ? run_scale[(wide)r * K + k] : 1,              \
          affine_of(gamma, affine, r, k, K, 1), affine_of(beta, affine, r, k, K, 0))

  for (int k = threadIdx.x; k < K; k += THREADS) {
    const Node o = NODE_OF(k);
#pragma unroll
    for (int n = 0; n < N; n++) {
      const real value = norm == BATCH ? fma(o.a[n] - o.m.mean, o.scale, o.shift) : o.a[n];
      h[n * K + k] = norm_first && value < 0 ? 0 : value;
    }
  }
  __syncthreads();
  for (int i = warp; i < N * C; i += LANES) {
    const int n = i / C, c = i % C;
    real sum = 0;
    for (int k = lane; k < K; k += WARP) sum = fma(h[n * K + k], w2[((wide)r * C + c) * K + k], sum);
    sum = warp_sum(sum);
    if (lane == 0) g[i] = sum + b2[(wide)r * C + c];
  }
  __syncthreads();
  for (int n = threadIdx.x; n < N; n += THREADS) {
    real top = g[n * C], z = 0;
    int best = 0;
    for (int c = 1; c < C; c++)
      if (g[n * C + c] > top) top = g[n * C + c], best = c;
    for (int c = 0; c < C; c++) z += exp(g[n * C + c] - top);
    const int label = labels[index[(wide)seed_of[r] * stride + n]];
    losses[n] = log(z) - (g[n * C + label] - top);
    hits[n] = best == label;
    for (int c = 0; c < C; c++) g[n * C + c] = (exp(g[n * C + c] - top) / z - (c == label)) / N;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    double loss = 0, right = 0;
    for (int n = 0; n < N; n++) loss += losses[n], right += hits[n];
    sums[2 * r] += loss / N, sums[2 * r + 1] += right / N;
  }
  for (int c = threadIdx.x; c < C; c += THREADS) {
    real sum = 0;
    for (int n = 0; n < N; n++) sum += g[n * C + c];
    descend(optimizer, own, lr, 0, 0, sum, (wide)r * C + c, b2, v_b2, 0, 0);
  }
  for (int k = threadIdx.x; k < K; k += THREADS) {
    const wide node = (wide)r * K + k;
    real dh[N];
#pragma unroll
    for (int n = 0; n < N; n++) dh[n] = 0;
#pragma unroll 5
    for (int c = 0; c < C; c++) {
      const wide i = ((wide)r * C + c) * K + k;
      const real weight = w2[i];
      real sum = 0;
#pragma unroll
      for (int n = 0; n < N; n++) {
        const real upstream = g[n * C + c];
        dh[n] = fma(upstream, weight, dh[n]), sum = fma(upstream, h[n * K + k], sum);
      }
      descend(optimizer, own, lr, own[L2], own[L1], sum, i, w2, v_w2, 0, 0);
    }
    const Node o = NODE_OF(k);
    real sum_dy = 0, sum_dy_xmu = 0, grad_b1 = 0;
#pragma unroll
    for (int n = 0; n < N; n++) {
      if (norm_first && h[n * K + k] <= 0) dh[n] = 0;
      sum_dy += dh[n], sum_dy_xmu = fma(dh[n], o.a[n] - o.m.mean, sum_dy_xmu);
    }
    const real slope = -sum_dy_xmu / (N * o.m.std * o.m.std), shift = sum_dy / N;
#pragma unroll
    for (int n = 0; n < N; n++) {
      real value = norm == BATCH ? ((o.a[n] - o.m.mean) * slope + dh[n] - shift) * o.scale : dh[n];
      if (!norm_first && o.a[n] <= 0) value = 0;
      grad_b1 += value;
      dy[((wide)r * N + n) * K + k] = value;
    }
    descend(optimizer, own, lr, 0, 0, grad_b1, node, b1, v_b1, 0, 0);
    if (norm != BATCH) continue;
    if (stats) keep(stats + (wide)r * STATISTICS * K + k, K, o.m);
    const real weight = 1 - own[DECAY];
    run_mean[node] += weight * (o.m.mean - o.m.run_mean);
    run_scale[node] += weight * (tracked(o.m, N, track_std) - run_scale[node]);
    if (affine != NODE) continue;
    const real grad_gamma = sum_dy_xmu * (o.m.r / o.m.std) + sum_dy * o.m.d;
    descend(optimizer, own, affine_lr, 0, 0, grad_gamma, node, gamma, v_gamma, 0, 0);
    descend(optimizer, own, affine_lr, 0, 0, sum_dy, node, beta, v_beta, 0, 0);
  }
}
