// The optimizer's step of every parameter, as Chainer's update rules define it, and the average of the parameters.

// Move parameter i by its gradient g. m, s: velocity of momentum or Adam's first moment, second moment of Adam and
// RMSprop; average: null where nothing is averaged. lr has Adam's bias correction in it.
__device__ __forceinline__ void descend(int optimizer, const real* hyper, real lr, real l2, real l1, real g, long i,
                                        real* p, real* m, real* s, real* average) {
  real value = p[i];
  if (l2 != 0 || l1 != 0) g += l2 * value + l1 * ((value > 0) - (value < 0));
  if (optimizer == SGD) value -= lr * g;
  if (optimizer == MOMENTUM) value += m[i] = hyper[MOMENTUM_OF] * m[i] - lr * g;
  if (optimizer == ADAM) {
    const real mean = m[i] + hyper[ONE_MINUS_BETA1] * (g - m[i]);
    const real square = s[i] + hyper[ONE_MINUS_BETA2] * (g * g - s[i]);
    m[i] = mean, s[i] = square;
    value -= lr * mean / (sqrt(square) + hyper[OPTIMIZER_EPS]);
  }
  if (optimizer == RMSPROP) {
    const real square = hyper[ALPHA] * s[i] + (1 - hyper[ALPHA]) * g * g;
    s[i] = square;
    value -= lr * g / (sqrt(square) + hyper[OPTIMIZER_EPS]);
  }
  p[i] = value;
  if (average) average[i] += (1 - hyper[AVERAGE_DECAY]) * (value - average[i]);
}

// Weights p (R, size) and their gradient g (R, size), with L1 and L2 decay. hyper (R, HYPER), schedule (R, COLUMNS).
// Grid (any, R).
extern "C" __global__ void __launch_bounds__(THREADS)
    update_weights(real* p, const real* g, real* m, real* s, real* average, long size, int optimizer, const real* hyper,
                   const real* schedule) {
  const int r = blockIdx.y;
  const real *own = hyper + r * HYPER, lr = schedule[r * COLUMNS + LR], l2 = own[L2], l1 = own[L1];
  for (long i = (long)blockIdx.x * THREADS + threadIdx.x; i < size; i += (long)gridDim.x * THREADS)
    descend(optimizer, own, lr, l2, l1, g[r * size + i], r * size + i, p, m, s, average);
}

// All biases, gammas and betas of the network: a row of the table is one of them. Its addresses are p, m, s, average
// (R, length) and the gradient g (R, pieces, width), which is summed over the pieces; with `shared` (length 1) over the
// nodes too, and divided by `divisor`. Grid (rows of the table, R).
struct Vector {
  real *p, *m, *s, *average;
  const real* g;
  long long length, pieces, width, column, divisor;
};

extern "C" __global__ void __launch_bounds__(THREADS)
    update_vectors(const Vector* table, int optimizer, const real* hyper, const real* schedule) {
  __shared__ double sums[LANES];
  const Vector v = table[blockIdx.x];
  const int r = blockIdx.y, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  const real *own = hyper + r * HYPER, lr = schedule[r * COLUMNS + v.column];
  const real* gradient = v.g + (long)r * v.pieces * v.width;
  if (v.length == v.width) {
    for (int k = threadIdx.x; k < v.width; k += THREADS) {
      double sum = 0;
      for (int piece = 0; piece < v.pieces; piece++) sum += gradient[piece * v.width + k];
      descend(optimizer, own, lr, 0, 0, sum, (long)r * v.length + k, v.p, v.m, v.s, v.average);
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
