// Normalisation, ReLU and dropout of a hidden layer, forward and backward: norm.formulas for all replicas at once.

// Call use(i, load(i)) for a thread's rows of a piece, in their order. A few are loaded before the first is used: a GPU's
// memory answers many requests at once, and a store that might change what is loaded next would make it wait.
template <class Load, class Use>
__device__ __forceinline__ void each_row(const Rows& rows, Load load, Use use) {
  const int AT_ONCE = 4;
  for (int first = rows.begin + threadIdx.y; first < rows.end; first += AT_ONCE * LANES) {
    decltype(load(0)) values[AT_ONCE];
#pragma unroll
    for (int j = 0; j < AT_ONCE; j++)
      if (first + j * LANES < rows.end) values[j] = load(first + j * LANES);
#pragma unroll
    for (int j = 0; j < AT_ONCE; j++)
      if (first + j * LANES < rows.end) use(first + j * LANES, values[j]);
  }
}

// z (R, N, K) = relu(factor z + bias), in place. With `partial` (R, groups * pieces, 2, K), set there the mean of every
// piece, and its sum of squared distances from that mean. factor (R) or null: of inference with dropped inputs.
extern "C" __global__ void __launch_bounds__(THREADS)
    enter(real* z, const real* bias, const real* factor, int n, int K, int group, int pieces, int relu, real* partial) {
  const Column at = column_of(K);
  const int r = blockIdx.y, k = at.k;
  const Rows rows = rows_of(at.piece, group, pieces);
  const bool inside = k < K;
  real* column = z + (wide)r * n * K + k;
  const real b = inside ? bias[(wide)r * K + k] : 0, f = factor ? factor[r] : 1;
  const auto load = [&](int i) { return column[(wide)i * K]; };
  double sum = 0;
  if (inside)
    each_row(rows, load, [&](int i, real product) {
      real value = factor ? f * product + b : product + b;
      if (relu && value < 0) value = 0;  // NaN stays
      column[(wide)i * K] = value;
      sum += value;
    });
  if (!partial) return;
  const real mean = column_sum(sum) / (rows.end - rows.begin);
  real squares = 0;
  if (inside) each_row(rows, load, [&](int, real value) { squares += (value - mean) * (value - mean); });
  squares = column_sum(squares);
  if (!inside || threadIdx.y) return;
  real* own = partial + ((wide)r * at.pieces + at.piece) * 2 * K + k;
  own[0] = mean, own[K] = squares;
}

// Merge the moments of a group's pieces [Chan, Golub and LeVeque 1979].
__device__ __forceinline__ void merge(const real* partial, int K, int group, int pieces, double& mean, double& var) {
  const int length = (group + pieces - 1) / pieces;
  double squares = 0;
  mean = 0;
  int count = 0;
#pragma unroll 8  // so that several loads are under way
  for (int piece = 0; piece < pieces; piece++) {
    const int more = min(length, group - piece * length);
    const double distance = partial[(wide)piece * 2 * K] - mean, total = count + more;
    squares += partial[((wide)piece * 2 + 1) * K] + distance * distance * (count * (more / total));
    mean += distance * (more / total);
    count += more;
  }
  var = squares / group;
}

// Set stats (R, groups, STATISTICS, K) from the moments `partial` of `enter`. mode TRAINING also moves run_mean and
// run_scale (R, K) towards the groups' mean; OWN and RUNNING have r = 1 and d = 0, and RUNNING needs no moments. hyper
// (R, HYPER), schedule (R, COLUMNS) of the step. Grid (K / 256, R). [BRN17, Alg. 1]
extern "C" __global__ void __launch_bounds__(THREADS)
    statistics(const real* partial, int K, int group, int groups, int pieces, int mode, int track_std, const real* hyper,
               const real* schedule, real* run_mean, real* run_scale, real* stats) {
  const int r = blockIdx.y, k = blockIdx.x * THREADS + threadIdx.x;
  if (k >= K) return;
  const wide node = (wide)r * K + k;
  const real eps = hyper[r * HYPER + EPS], *limits = schedule + r * COLUMNS;
  const real old_mean = run_mean[node], old_scale = run_scale[node];
  double total_mean = 0, total_scale = 0;
  for (int g = 0; g < groups; g++) {
    const real run_std = running_std(old_scale, eps, track_std);
    Moments m = {old_mean, run_std, 0, old_mean, run_std, 1, 0};
    if (mode != RUNNING) {
      double mean, var;
      merge(partial + ((wide)r * groups + g) * pieces * 2 * K + k, K, group, pieces, mean, var);
      m.mean = mean, m.var = var, m.std = sqrt(m.var + eps);
      total_mean += m.mean, total_scale += tracked(m, group, track_std);
    }
    if (mode == TRAINING || mode == FROZEN) correct(m, limits[R_MAX], limits[D_MAX]);
    keep(stats + ((wide)r * groups + g) * STATISTICS * K + k, K, m);
  }
  if (mode != TRAINING) return;
  const real weight = 1 - hyper[r * HYPER + DECAY];
  run_mean[node] = old_mean + weight * ((real)(total_mean / groups) - old_mean);
  run_scale[node] = old_scale + weight * ((real)(total_scale / groups) - old_scale);
}

// y (R, N, K) = dropout(relu(norm(a))); relu only if the normalisation comes first, and dropout as ranks say, or times
// `fraction` (R) in inference, where it is not null. stats (R, groups, STATISTICS, K), row_stats (R, N, 2).
extern "C" __global__ void __launch_bounds__(THREADS)
    normalise(const real* a, const real* stats, const real* row_stats, const real* gamma, const real* beta, int norm,
              int affine, int norm_first, int n, int K, int group, int pieces, const int* ranks, int stride,
              const int* seed_of, const int* kept, const real* fraction, real* y) {
  const Column at = column_of(K);
  const int r = blockIdx.y, k = at.k;
  if (k >= K) return;
  const Rows rows = rows_of(at.piece, group, pieces);
  const wide column = (wide)r * n * K + k;
  const real factor = fraction ? fraction[r] : (is_kept(ranks, stride, seed_of, kept, r, k) ? 1 : 0);
  const real g = affine_of(gamma, affine, r, k, K, 1), b = affine_of(beta, affine, r, k, K, 0);
  real mean = 0, scale = 1, shift = 0;
  if (norm == BATCH) {
    const real* own = stats + ((wide)r * (n / group) + rows.group) * STATISTICS * K + k;
    mean = own[MEAN * K], scale = g * own[R_ * K] / own[STD * K], shift = g * own[D_ * K] + b;
  }
  const auto load = [&](int i) { return a[column + (wide)i * K]; };
  each_row(rows, load, [&](int i, real value) {
    if (norm == BATCH) value = (value - mean) * scale + shift;
    if (norm == LAYER) {
      const real* row = row_stats + 2 * ((wide)r * n + i);
      value = (value - row[0]) / row[1] * g + b;
    }
    if (norm_first && value < 0) value = 0;
    y[column + (wide)i * K] = value * factor;
  });
}

// An element of the gradient of the norm's output, with the norm's input.
struct Upstream {
  real g, a;
};

// Element `at` of the gradient of the norm's output, from that of y, behind ReLU and dropout.
__device__ __forceinline__ real upstream(const real* gy, const real* y, wide at, int norm_first, bool kept) {
  return kept && !(norm_first && y[at] <= 0) ? gy[at] : 0;
}

// Set partial (R, groups * pieces, 2, K): sums over a piece of g, and of g (a - mean), or for layer normalisation of g
// times the normalised value. gy (R, N, K): the gradient of y.
extern "C" __global__ void __launch_bounds__(THREADS)
    upstream_sums(const real* gy, const real* y, const real* a, const real* stats, const real* row_stats, int norm,
                  int norm_first, int n, int K, int group, int pieces, const int* ranks, int stride, const int* seed_of,
                  const int* kept, real* partial) {
  const Column at = column_of(K);
  const int r = blockIdx.y, k = at.k;
  const Rows rows = rows_of(at.piece, group, pieces);
  const bool inside = k < K, own_kept = inside && is_kept(ranks, stride, seed_of, kept, r, k);
  const wide column = (wide)r * n * K + k;
  real mean = 0, sum = 0, sum_xmu = 0;
  if (inside && norm == BATCH) mean = stats[(((wide)r * (n / group) + rows.group) * STATISTICS + MEAN) * K + k];
  const auto load = [&](int i) {
    const wide place = column + (wide)i * K;
    return Upstream{upstream(gy, y, place, norm_first, own_kept), a[place]};
  };
  if (inside)
    each_row(rows, load, [&](int i, const Upstream& o) {
      real xmu = o.a - mean;
      if (norm == LAYER) {
        const real* row = row_stats + 2 * ((wide)r * n + i);
        xmu = (o.a - row[0]) / row[1];
      }
      sum += o.g, sum_xmu += o.g * xmu;
    });
  sum = column_sum(sum), sum_xmu = column_sum(sum_xmu);
  if (!inside || threadIdx.y) return;
  real* own = partial + ((wide)r * at.pieces + at.piece) * 2 * K + k;
  own[0] = sum, own[K] = sum_xmu;
}

// Set coef (R, groups, COEFFICIENTS, K), and the gradients ggamma, gbeta (R, K), from `upstream_sums`. [BRN17, sec. 3]
// Grid (K / 256, R).
extern "C" __global__ void __launch_bounds__(THREADS)
    coefficients(const real* partial, const real* stats, const real* gamma, int norm, int affine, int K, int group,
                 int groups, int pieces, real* coef, real* ggamma, real* gbeta) {
  const int r = blockIdx.y, k = blockIdx.x * THREADS + threadIdx.x;
  if (k >= K) return;
  double total_gamma = 0, total_beta = 0;
  for (int g = 0; g < groups; g++) {
    double sum = 0, sum_xmu = 0;
#pragma unroll 8
    for (int piece = 0; piece < pieces; piece++) {
      const real* own = partial + (((wide)r * groups + g) * pieces + piece) * 2 * K + k;
      sum += own[0], sum_xmu += own[K];
    }
    total_beta += sum;
    if (norm == LAYER) {
      total_gamma += sum_xmu;
      continue;
    }
    const real* at = stats + ((wide)r * groups + g) * STATISTICS * K + k;
    const real std = at[STD * K], r_ = at[R_ * K];
    total_gamma += sum_xmu * (r_ / std) + sum * at[D_ * K];
    real* own = coef + ((wide)r * groups + g) * COEFFICIENTS * K + k;
    own[SCALE * K] = affine_of(gamma, affine, r, k, K, 1) * r_ / std;
    own[SLOPE * K] = -(real)sum_xmu / (group * std * std);
    own[SHIFT * K] = (real)sum / group;
  }
  ggamma[(wide)r * K + k] = total_gamma, gbeta[(wide)r * K + k] = total_beta;
}

// g (R, N, K), the gradient of y, becomes that of the linear product; set bias (R, groups * pieces, K): its sum over a
// piece. y and a are what `normalise` set and read; `relu`: the ReLU comes before the norm, and a is its output. With
// rates, a schedule (R, COLUMNS), g is multiplied by the learning rate after the sum. With parts (R, N, PARTS, padded),
// its thirds are written there, and g stays as it was.
extern "C" __global__ void __launch_bounds__(THREADS)
    to_linear(real* g, const real* y, const real* a, const real* stats, const real* coef, const real* row_stats,
              const real* row_sums, const real* gamma, int norm, int affine, int norm_first, int relu, int n, int K,
              int group, int pieces, const int* ranks, int stride, const int* seed_of, const int* kept, real* bias,
              const real* rates, int padded, unsigned short* parts) {
  const Column at = column_of(K);
  const int r = blockIdx.y, k = at.k;
  const Rows rows = rows_of(at.piece, group, pieces);
  const bool inside = k < K, own_kept = inside && is_kept(ranks, stride, seed_of, kept, r, k);
  const wide column = (wide)r * n * K + k, block = (wide)r * (n / group) + rows.group;
  real mean = 0, scale = 1, slope = 0, shift = 0, sum = 0;
  if (inside && norm == BATCH) {
    const real* own = coef + block * COEFFICIENTS * K + k;
    mean = stats[(block * STATISTICS + MEAN) * K + k];
    scale = own[SCALE * K], slope = own[SLOPE * K], shift = own[SHIFT * K];
  }
  const real lr = rates ? rates[r * COLUMNS + LR] : 1;
  const real weight = inside && norm == LAYER ? affine_of(gamma, affine, r, k, K, 1) : 1;
  const auto load = [&](int i) {
    const wide place = column + (wide)i * K;
    return Upstream{upstream(g, y, place, norm_first, own_kept), a[place]};
  };
  if (inside)
    each_row(rows, load, [&](int i, const Upstream& o) {
      real value = o.g;
      if (norm == BATCH) value = ((o.a - mean) * slope + value - shift) * scale;
      if (norm == LAYER) {
        const wide row = 2 * ((wide)r * n + i);
        const real std = row_stats[row + 1], hat = (o.a - row_stats[row]) / std;
        value = (value * weight - row_sums[row] - hat * row_sums[row + 1]) / std;
      }
      if (relu && o.a <= 0) value = 0;
      sum += value;
      if (!parts) {
        g[column + (wide)i * K] = value * lr;
        return;
      }
      const Thirds thirds = thirds_of(value);
      for (int part = 0; part < PARTS; part++)
        parts[(((wide)r * n + i) * PARTS + part) * padded + k] = thirds.bits[part];
    });
  sum = column_sum(sum);
  if (inside && threadIdx.y == 0) bias[((wide)r * at.pieces + at.piece) * K + k] = sum;
}
