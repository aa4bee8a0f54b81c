// The optimizer's step of every parameter, as Chainer's update rules define it, and the average of the parameters.

// A gradient with the decay of its weight.
__device__ __forceinline__ real decayed(real g, real w, real l2, real l1) {
  return g + (l2 * w + l1 * ((w > 0) - (w < 0)));
}

// A parameter moved by its gradient g; m, s: velocity of momentum or Adam's first moment, second moment of Adam and
// RMSprop, which move too. lr has Adam's bias correction in it.
__device__ __forceinline__ real moved(int optimizer, const real* hyper, real lr, real l2, real l1, real g, real value,
                                      real& m, real& s) {
  if (l2 != 0 || l1 != 0) g = decayed(g, value, l2, l1);
  if (optimizer == SGD) return value - lr * g;
  if (optimizer == MOMENTUM) {
    m = hyper[MOMENTUM_OF] * m - lr * g;
    return value + m;
  }
  if (optimizer == ADAM) {
    m += hyper[ONE_MINUS_BETA1] * (g - m), s += hyper[ONE_MINUS_BETA2] * (g * g - s);
    return value - lr * m / (sqrt(s) + hyper[OPTIMIZER_EPS]);
  }
  s = hyper[ALPHA] * s + (1 - hyper[ALPHA]) * g * g;
  return value - lr * g / (sqrt(s) + hyper[OPTIMIZER_EPS]);
}

// The optimizers that keep m, and those that keep s.
__device__ __forceinline__ bool keeps_exp_avg(int optimizer) { return optimizer == MOMENTUM || optimizer == ADAM; }
__device__ __forceinline__ bool keeps_exp_avg_sq(int optimizer) { return optimizer == ADAM || optimizer == RMSPROP; }

// Move parameter i of p by its gradient g. average: null where nothing is averaged.
__device__ __forceinline__ void descend(int optimizer, const real* hyper, real lr, real l2, real l1, real g, wide i,
                                        real* p, real* m, real* s, real* average) {
  real exp_avg = keeps_exp_avg(optimizer) ? m[i] : 0, exp_avg_sq = keeps_exp_avg_sq(optimizer) ? s[i] : 0;
  const real value = moved(optimizer, hyper, lr, l2, l1, g, p[i], exp_avg, exp_avg_sq);
  p[i] = value;
  if (keeps_exp_avg(optimizer)) m[i] = exp_avg;
  if (keeps_exp_avg_sq(optimizer)) s[i] = exp_avg_sq;
  if (average) average[i] += (1 - hyper[AVERAGE_DECAY]) * (value - average[i]);
}

// Weights p (R, size) and their gradient g (R, pieces, size), which is summed over the pieces, with L1 and L2 decay. hyper
// (R, HYPER), schedule (R, COLUMNS). Grid (any, R).
extern "C" __global__ void __launch_bounds__(THREADS)
    update_weights(real* p, const real* g, real* m, real* s, real* average, wide size, int pieces, int optimizer,
                   const real* hyper, const real* schedule) {
  const int r = blockIdx.y;
  const real *own = hyper + r * HYPER, lr = schedule[r * COLUMNS + LR], l2 = own[L2], l1 = own[L1];
  for (wide i = (wide)blockIdx.x * THREADS + threadIdx.x; i < size; i += (wide)gridDim.x * THREADS) {
    real sum = 0;
#pragma unroll 4
    for (int piece = 0; piece < pieces; piece++) sum += g[((wide)r * pieces + piece) * size + i];
    descend(optimizer, own, lr, l2, l1, sum, r * size + i, p, m, s, average);
  }
}

// All biases, gammas and betas of the network: a row of the table is one of them. Its addresses are p, m, s, average
// (R, length) and the gradient g (R, pieces, width), which is summed over the pieces; with `shared` (length 1) over the
// nodes too, and divided by `divisor`. Grid (rows of the table, R).
struct Vector {
  real *p, *m, *s, *average;
  const real* g;
  wide length, pieces, width, column, divisor;
};

extern "C" __global__ void __launch_bounds__(THREADS)
    update_vectors(const Vector* table, int optimizer, const real* hyper, const real* schedule) {
  __shared__ double sums[LANES];
  const Vector v = table[blockIdx.x];
  const int r = blockIdx.y, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const real *own = hyper + r * HYPER, lr = schedule[r * COLUMNS + v.column];
  const real* gradient = v.g + (wide)r * v.pieces * v.width;
  if (v.length == v.width) {
    for (int k = threadIdx.x; k < v.width; k += THREADS) {
      double sum = 0;
#pragma unroll 8
      for (int piece = 0; piece < v.pieces; piece++) sum += gradient[piece * v.width + k];
      descend(optimizer, own, lr, 0, 0, sum, (wide)r * v.length + k, v.p, v.m, v.s, v.average);
    }
    return;
  }
  double sum = 0;
  for (int k = threadIdx.x; k < v.width; k += THREADS) sum += gradient[k];
  sum = warp_sum(sum);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (threadIdx.x) return;
  for (int i = 1; i < LANES; i++) sum += sums[i];
  descend(optimizer, own, lr, 0, 0, sum / v.divisor, r, v.p, v.m, v.s, v.average);
}
