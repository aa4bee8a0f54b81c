// What the kernels share. REAL is float, or double for proofs.
//
// Arrays are row-major, replicas first: R replicas, N images of a batch, D inputs, K nodes of a layer, C classes.
// Images are normalised in groups of `group` images (the whole batch or a micro-batch); a group is cut into `pieces`, so
// that a large batch is spread over many blocks. Sums over images are taken piece by piece and merged in a fixed order,
// which makes every result independent of timing, and of the other replicas. Compilers may not contract products and
// sums (`launches.OPTIONS`): they do so as it suits the code around them, which differs with the size of a group. Where
// much is multiplied it says `fma`.
//
// Kernels over columns have the grid (groups * pieces * K / 32, R) and blocks of 32 nodes x 8 images.

typedef REAL real;
typedef long long wide;  // of indices: 64 bits on Windows too, where `long` has 32

enum { NONE, BATCH, LAYER };                     // engines.spec: the normalisation
enum { NODE, SHARED, FIXED };                    // gamma and beta
enum { SGD, MOMENTUM, ADAM, RMSPROP };           // the optimizer
enum { TRAINING, FROZEN, OWN, RUNNING };         // which statistics normalise: rows.Mode
enum { R_MAX, D_MAX, LR, AFFINE_LR, COLUMNS };   // network.schedule
enum { MEAN, STD, R_, D_, RUN_MEAN, RUN_STD, STATISTICS };
enum { SCALE, SLOPE, SHIFT, COEFFICIENTS };      // of the gradient: scale * (g + slope * (a - mean) - shift)

// Columns of the table of hyperparameters (R, HYPER): engines.spec.Hyperparams.
enum { DECAY, EPS, MOMENTUM_OF, ONE_MINUS_BETA1, ONE_MINUS_BETA2, ALPHA, OPTIMIZER_EPS, L2, L1, AVERAGE_DECAY, HYPER };

const int WARP = 32, LANES = 8, THREADS = WARP * LANES;

struct Rows {
  int group, begin, end;
};

// A block of a kernel over columns: its piece, the number of all pieces, and a thread's node. Blocks side by side take
// nodes side by side.
struct Column {
  int piece, pieces, k;
};

__device__ __forceinline__ Column column_of(int K) {
  const int across = (K + WARP - 1) / WARP;
  return {(int)blockIdx.x / across, (int)gridDim.x / across, (int)blockIdx.x % across * WARP + (int)threadIdx.x};
}

// The images of a piece; every piece has some.
__device__ __forceinline__ Rows rows_of(int q, int group, int pieces) {
  const int length = (group + pieces - 1) / pieces, g = q / pieces, begin = g * group + q % pieces * length;
  return {g, begin, min(begin + length, (g + 1) * group)};
}

// The sum over a block's 8 rows of threads, for each of its 32 columns.
template <class T>
__device__ T column_sum(T value) {
  __shared__ T values[LANES][WARP + 1];
  values[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  T sum = 0;
  for (int i = 0; i < LANES; i++) sum += values[i][threadIdx.x];
  __syncthreads();
  return sum;
}

template <class T>
__device__ __forceinline__ T warp_sum(T value) {
  for (int lanes = WARP / 2; lanes; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
  return value;
}

// gamma or beta of node k: one a node, one a layer, or none (`fixed`).
__device__ __forceinline__ real affine_of(const real* p, int affine, int r, int k, int K, real fixed) {
  return affine == FIXED ? fixed : p[affine == NODE ? (wide)r * K + k : r];
}

// The exact form of dropout: a node is kept if its rank is below the replica's count. ranks (S, stride) or null.
__device__ __forceinline__ bool is_kept(const int* ranks, int stride, const int* seed_of, const int* kept, int r, int k) {
  return !ranks || ranks[(wide)seed_of[r] * stride + k] < kept[r];
}

// A node's statistics over a group: of the group itself, and the running ones, std with eps in it.
struct Moments {
  real mean, std, var, run_mean, run_std, r, d;
};

__device__ __forceinline__ real running_std(real scale, real eps, int track_std) {
  return track_std ? scale : sqrt(scale + eps);
}

// Set r and d, written so that NaN stays NaN. [BRN17, Alg. 1]
__device__ __forceinline__ void correct(Moments& m, real r_max, real d_max) {
  const real low = 1 / r_max, ratio = m.std / m.run_std, distance = (m.mean - m.run_mean) / m.run_std;
  m.r = ratio < low ? low : (ratio > r_max ? r_max : ratio);
  m.d = distance < -d_max ? -d_max : (distance > d_max ? d_max : distance);
}

// What the running average tracks: the group's std, or its variance with Bessel's correction.
__device__ __forceinline__ real tracked(const Moments& m, int group, int track_std) {
  return track_std ? m.std : m.var * (real)(group / max(group - 1.0, 1.0));
}

__device__ __forceinline__ void keep(real* stats, int K, const Moments& m) {
  stats[MEAN * K] = m.mean, stats[STD * K] = m.std, stats[R_ * K] = m.r, stats[D_ * K] = m.d;
  stats[RUN_MEAN * K] = m.run_mean, stats[RUN_STD * K] = m.run_std;
}

const int PARTS = 3, TILE = 16;

// A float32 number as the sum of three bfloat16 numbers, their bits, the smallest first: 8 of its 24 bits in each. NaN
// stays NaN.
struct Thirds {
  unsigned short bits[PARTS];
};

__device__ __forceinline__ Thirds thirds_of(float value) {
  Thirds thirds;
  for (int part = PARTS - 1; part >= 0; part--) {
    const unsigned bits = __float_as_uint(value) & 0xffff0000u;
    thirds.bits[part] = bits >> 16;
    value -= __uint_as_float(bits);
  }
  return thirds;
}

// The row of pixel d of a tile: the order in which a warp's lanes read them at the same time, see sweep.cu.
__device__ __forceinline__ int slot_of(int d) { return d / 2 % 2 * (TILE / 2) + d / 4 * 2 + d % 2; }
