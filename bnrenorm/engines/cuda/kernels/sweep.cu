// The first layer's weights between two minibatches, in one pass through memory: moved by the gradient of the one batch,
// and multiplied with the next one. By tensor cores, for images whose pixels are bytes: see pixels.cu. N, the images of a
// batch, and OPTIMIZER are constants. After `update.cu`; REAL is float, and the GPU has compute capability 8.0 or more.
//
// A block takes up to 128 rows of a replica's weights, a warp 16 of them, and goes along the rows in tiles of 16 pixels.
// It keeps the gradient of the products and the sums of the next ones in registers, and copies the next tiles of weights
// and pixels to shared memory meanwhile. Within a warp, `row` is lane / 4 and `quad` is lane % 4 of a thread; a matrix
// product's operands lie across the lanes as PTX says for mma.m16n8k16. The order of what is summed is free: a thread
// takes the images 4 quad to 4 quad + 3 of every 16, and the pixels 4 quad to 4 quad + 3 of a tile, one 16-byte word.

const int DEPTH = (N + TILE - 1) / TILE, IMAGES = DEPTH * TILE;  // 16 images are summed by an instruction
const int COLUMNS_OF_IMAGES = (N + 7) / 8;                       // of products: 8 images each
const int PITCH = 8 * (DEPTH | 1);                               // words of a pixel's images: an odd multiple of 8 banks
const int STAGES = 4;
const float UNIT = 1 / 255.0f;                                   // of a pixel

struct __align__(16) Word {
  float v[4];
};

struct Operand {
  unsigned a[4];  // (row, first half), (row + 8, first half), (row, second half), (row + 8, second half)
};

// c (16, 8) += a (16, 16) b (16, 8), bfloat16 with sums in float32.
__device__ __forceinline__ void multiply(float (&c)[4], const Operand& x, const uint2& b) {
#ifdef __CUDA_ARCH__
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(x.a[0]), "r"(x.a[1]), "r"(x.a[2]), "r"(x.a[3]), "r"(b.x), "r"(b.y));
#else  // the same by the lanes' shuffles, for an emulator of CUDA
  const int lane = threadIdx.x % WARP, quad = lane % 4;
  for (int k = 0; k < 4; k++)
    for (int half = 0; half < 2; half++) {
      unsigned rows[2], columns[2];
      for (int i = 0; i < 2; i++) {
        rows[i] = __shfl_sync(0xffffffffu, x.a[2 * half + i], lane - quad + k);
        columns[i] = __shfl_sync(0xffffffffu, half ? b.y : b.x, 4 * (2 * quad + i) + k);
      }
      for (int i = 0; i < 4; i++)
        for (int high = 0; high < 2; high++)
          c[i] += __uint_as_float(rows[i / 2] >> 16 * high << 16) * __uint_as_float(columns[i % 2] >> 16 * high << 16);
    }
#endif
}

// Copy 16 bytes to shared memory, and fetch their 128 to the cache; `landed` waits for all but the newest two groups of
// copies.
__device__ __forceinline__ void copy(void* to, const void* from) {
#ifdef __CUDA_ARCH__
  const unsigned address = __cvta_generic_to_shared(to);
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
#else
  *(uint4*)to = *(const uint4*)from;
#endif
}

__device__ __forceinline__ void end_group() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

__device__ __forceinline__ void landed() {
#ifdef __CUDA_ARCH__
  asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
#endif
}

// The thirds of two numbers side by side, in registers of three operands.
__device__ __forceinline__ void place(Operand (&x)[PARTS], int i, float first, float second) {
  const Thirds low = thirds_of(first), high = thirds_of(second);
  for (int part = 0; part < PARTS; part++) x[part].a[i] = low.bits[part] | (unsigned)high.bits[part] << 16;
}

// Four weights' optimizer states and their average.
struct States {
  Word m, s, average;
};

__device__ __forceinline__ States states_at(const float* m, const float* s, const float* average, wide at) {
  States states = {};
  if (keeps_exp_avg(OPTIMIZER)) states.m = *(const Word*)(m + at);
  if (keeps_exp_avg_sq(OPTIMIZER)) states.s = *(const Word*)(s + at);
  if (average) states.average = *(const Word*)(average + at);
  return states;
}

// The optimizer's step of four weights by their gradient g; `at`: their place in w and its states.
__device__ __forceinline__ void descend_four(const float* hyper, float lr, const float (&g)[4], wide at,
                                             Word& w, States& states, float* m, float* s, float* average) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    w.v[i] = moved(OPTIMIZER, hyper, lr, hyper[L2], hyper[L1], g[i], w.v[i], states.m.v[i], states.s.v[i]);
    states.average.v[i] += (1 - hyper[AVERAGE_DECAY]) * (w.v[i] - states.average.v[i]);
  }
  if (keeps_exp_avg(OPTIMIZER)) *(Word*)(m + at) = states.m;
  if (keeps_exp_avg_sq(OPTIMIZER)) *(Word*)(s + at) = states.s;
  if (average) *(Word*)(average + at) = states.average;
}

// With `current`: move w (R, K, D), its states m and s and their average by the gradient g^T x of that batch, g (R, N, K).
// With `following`: set y (R, N, K) to the products of that batch with w. current: by_pixel of `pack`; following: by_image.
// D is divisible by 16. A block takes `rows` rows, a multiple of 16, at most 128. Dynamic shared memory: STAGES times
// 64 rows + 32 IMAGES + 64 PITCH bytes. Grid (K / rows, R).
extern "C" __global__ void __launch_bounds__(THREADS)
    sweep(const unsigned short* __restrict__ current, const unsigned short* __restrict__ following,
          const int* __restrict__ seed_of, const real* __restrict__ hyper,
          const real* __restrict__ schedule, const real* __restrict__ g, int K, int D, int rows, real* w, real* m,
          real* s, real* average, real* __restrict__ y) {
  extern __shared__ __align__(16) char memory[];
  const int r = blockIdx.y, begin = blockIdx.x * rows, warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
  const int row = lane / 4, quad = lane % 4, tiles = D / TILE, inside = min(rows, K - begin);
  const int bytes = rows * 64 + IMAGES * 32 + PITCH * 64;  // of a stage: weights, the next batch, the current one
  const int own = warp * TILE + row;                       // a thread's rows of the block: this one and 8 below
  const bool busy = warp * TILE < inside;
  const float *limits = schedule + r * COLUMNS, lr = limits[LR];
  const wide seed = seed_of[r], weights = ((wide)r * K + begin) * D;

  const auto fetch = [&](int tile) {
    char* stage = memory + tile % STAGES * bytes;
    for (int i = threadIdx.x; i < inside * 4; i += THREADS)
      copy(stage + i * 16, w + weights + (wide)(i / 4) * D + tile * TILE + i % 4 * 4);
    const wide at = (seed * tiles + tile) * IMAGES * TILE;
    stage += rows * 64;
    for (int i = threadIdx.x; following && i < IMAGES * 2; i += THREADS) copy(stage + i * 16, following + at + i * 8);
    stage += IMAGES * 32;
    for (int i = threadIdx.x; current && i < IMAGES * 2; i += THREADS)
      copy(stage + i / (2 * DEPTH) * PITCH * 4 + i % (2 * DEPTH) * 16, current + at + i * 8);
  };
  for (int tile = 0; tile < STAGES - 1; tile++) {
    if (tile < tiles) fetch(tile);
    end_group();
  }

  Operand gradient[DEPTH][PARTS];
  if (current && busy)
#pragma unroll
    for (int step = 0; step < DEPTH; step++)
#pragma unroll
      for (int i = 0; i < 4; i++) {
        const int k = own + i % 2 * 8, image = step * TILE + 4 * quad + i / 2 * 2;
        const float* at = g + ((wide)r * N + image) * K + begin + k;
        const bool is_row = k < inside;
        place(gradient[step], i, is_row && image < N ? at[0] : 0, is_row && image + 1 < N ? at[K] : 0);
      }
  float sums[COLUMNS_OF_IMAGES][4];
#pragma unroll
  for (int column = 0; column < COLUMNS_OF_IMAGES; column++)
#pragma unroll
    for (int i = 0; i < 4; i++) sums[column][i] = 0;

  for (int tile = 0; tile < tiles; tile++) {
    landed();
    __syncthreads();  // all copies are here, and the stage before this one is free
    if (tile + STAGES - 1 < tiles) fetch(tile + STAGES - 1);
    end_group();
    if (!busy) continue;
    const char* stage = memory + tile % STAGES * bytes;
    Word of_row[2] = {};
#pragma unroll
    for (int half = 0; half < 2; half++)
      if (own + 8 * half < inside) of_row[half] = ((const Word*)stage)[(own + 8 * half) * 4 + quad];
    stage += rows * 64;
    if (current) {
      const wide at = weights + (wide)own * D + tile * TILE + 4 * quad;
      States states[2];  // on their way while tensor cores multiply
#pragma unroll
      for (int half = 0; half < 2; half++)
        if (own + 8 * half < inside) states[half] = states_at(m, s, average, at + 8L * half * D);
      float moves[2][PARTS][4] = {};  // a chain of sums for each part: three times as many in flight
      const unsigned* pixels = (const unsigned*)(stage + IMAGES * 32) + row * PITCH + 2 * quad;
#pragma unroll
      for (int step = 0; step < DEPTH; step++)
#pragma unroll
        for (int i = 0; i < 2; i++) {
          const uint2 x = *(const uint2*)(pixels + 8 * i * PITCH + 8 * step);
#pragma unroll
          for (int part = 0; part < PARTS; part++) multiply(moves[i][part], gradient[step][part], x);
        }
#pragma unroll
      for (int i = 0; i < 8; i++)
        for (int part = 1; part < PARTS; part++) moves[i / 4][0][i % 4] += moves[i / 4][part][i % 4];
#pragma unroll
      for (int half = 0; half < 2; half++) {
        if (own + 8 * half >= inside) continue;
        float steps[4];
#pragma unroll
        for (int i = 0; i < 4; i++) steps[i] = UNIT * moves[i / 2][0][2 * half + i % 2];
        const wide place = at + 8L * half * D;
        descend_four(hyper + r * HYPER, lr, steps, place, of_row[half], states[half], m, s, average);
        *(Word*)(w + place) = of_row[half];
      }
    }
    if (following) {
      Operand weight[PARTS];
#pragma unroll
      for (int i = 0; i < 4; i++) place(weight, i, of_row[i % 2].v[i / 2 * 2], of_row[i % 2].v[i / 2 * 2 + 1]);
      const uint2* images = (const uint2*)stage + row * 4 + quad;
#pragma unroll
      for (int column = 0; column < COLUMNS_OF_IMAGES; column++) {
        const uint2 x = images[column * 32];
        float sum[4] = {};  // of this tile: tensor cores cut off what does not fit in a sum, additions round
#pragma unroll
        for (int part = 0; part < PARTS; part++) multiply(sum, weight[part], x);
#pragma unroll
        for (int i = 0; i < 4; i++) sums[column][i] += sum[i];
      }
    }
  }
  if (!following || !busy) return;
#pragma unroll
  for (int column = 0; column < COLUMNS_OF_IMAGES; column++)
#pragma unroll
    for (int i = 0; i < 4; i++) {
      const int k = own + i / 2 * 8, image = column * 8 + 2 * quad + i % 2;
      if (k < inside && image < N) y[((wide)r * N + image) * K + begin + k] = UNIT * sums[column][i];
    }
}
