// Softmax cross entropy and accuracy, and the images of a batch.

const float LOWEST = -3.402823466e+38f;

// x (S, N, D) = images (M, D) at index (S, N): a block an image and seed. With ranks, x (R, N, D): a block an image and
// replica, whose dropped inputs are 0. Without an index, the images in their own order. Grid (N, S or R).
extern "C" __global__ void __launch_bounds__(THREADS)
    gather(const real* images, int D, const int* index, int index_stride, int n, const int* ranks, int stride,
           const int* seed_of, const int* kept, real* x) {
  const int i = blockIdx.x, r = blockIdx.y, seed = ranks ? seed_of[r] : r;
  const real* image = images + (wide)(index ? index[(wide)seed * index_stride + i] : i) * D;
  real* row = x + ((wide)r * n + i) * D;
  for (int k = threadIdx.x; k < D; k += THREADS)
    row[k] = is_kept(ranks, stride, seed_of, kept, r, k) ? image[k] : 0;
}

// The loss and accuracy of logits (R, N, C), to which bias (R, C) is added: partial (R, pieces, 2) gets the sums over a
// piece of `piece` images. With `learn`, the logits become the gradient of the mean loss. right (R, N) or null: whether
// the class with the largest logit, the first of equal ones, is the label. labels (M) of all images; of this batch those
// at index (S, N), or the first N. Grid (pieces, R), a warp an image.
extern "C" __global__ void __launch_bounds__(THREADS)
    loss(real* logits, const real* bias, const int* labels, const int* index, int index_stride, const int* seed_of, int n,
         int C, int piece, int learn, unsigned char* right, double* partial) {
  __shared__ double losses[LANES], hits[LANES];
  const int r = blockIdx.y, end = min(n, (int)(blockIdx.x + 1) * piece);
  double total = 0, answers = 0;
  for (int i = blockIdx.x * piece + threadIdx.y; i < end; i += LANES) {
    real* row = logits + ((wide)r * n + i) * C;
    const int label = labels[index ? index[(wide)seed_of[r] * index_stride + i] : i];
    real top = LOWEST, z = 0;
    int best = C;
    for (int c = threadIdx.x; c < C; c += WARP) {
      const real value = row[c] + bias[(wide)r * C + c];
      row[c] = value;
      if (value > top) top = value, best = c;
    }
    for (int lanes = WARP / 2; lanes; lanes /= 2) {
      const real other = __shfl_xor_sync(0xffffffffu, top, lanes);
      const int other_best = __shfl_xor_sync(0xffffffffu, best, lanes);
      if (other > top || (other == top && other_best < best)) top = other, best = other_best;
    }
    for (int c = threadIdx.x; c < C; c += WARP) z += exp(row[c] - top);
    z = warp_sum(z);
    __syncwarp();
    const real own = row[label];
    __syncwarp();
    for (int c = threadIdx.x; learn && c < C; c += WARP) row[c] = (exp(row[c] - top) / z - (c == label)) / n;
    total += log(z) - (own - top), answers += best == label;
    if (right && threadIdx.x == 0) right[(wide)r * n + i] = best == label;
  }
  if (threadIdx.x == 0) losses[threadIdx.y] = total, hits[threadIdx.y] = answers;
  __syncthreads();
  if (threadIdx.x || threadIdx.y) return;
  for (int i = 1; i < LANES; i++) total += losses[i], answers += hits[i];
  double* own = partial + ((wide)r * gridDim.x + blockIdx.x) * 2;
  own[0] = total, own[1] = answers;
}

// sums (R, 2) += mean loss and accuracy over N images, from partial (R, pieces, 2). Grid (R / 256).
extern "C" __global__ void __launch_bounds__(THREADS)
    add_losses(const double* partial, int R, int pieces, int n, double* sums) {
  const int r = blockIdx.x * THREADS + threadIdx.x;
  if (r >= R) return;
  double total = 0, answers = 0;
#pragma unroll 8
  for (int piece = 0; piece < pieces; piece++) {
    const double* own = partial + ((wide)r * pieces + piece) * 2;
    total += own[0], answers += own[1];
  }
  sums[2 * r] += total / n, sums[2 * r + 1] += answers / n;
}
