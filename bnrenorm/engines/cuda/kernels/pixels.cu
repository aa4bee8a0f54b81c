// Images whose pixels are bytes, for tensor cores: whole numbers up to 255 are exact in bfloat16, and a float32 number is
// exactly the sum of three bfloat16 numbers. Products of such numbers are exact in float32: only their sums round.
//
// bfloat16 numbers are passed as their bits. `pixels.py` says what is done with them.

// parts (rows, 3, padded): the thirds of a (rows, width), the smallest first; 0 behind `width`. Grid (any).
extern "C" __global__ void __launch_bounds__(THREADS)
    split(const real* a, wide rows, int width, int padded, unsigned short* parts) {
  const wide size = rows * padded;
  for (wide i = (wide)blockIdx.x * THREADS + threadIdx.x; i < size; i += (wide)gridDim.x * THREADS) {
    const wide row = i / padded;
    const int column = i % padded;
    const Thirds thirds = thirds_of(column < width ? a[row * width + column] : 0);
    for (int part = 0; part < PARTS; part++) parts[(row * PARTS + part) * padded + column] = thirds.bits[part];
  }
}

// x (S, N, words) = images (M, words) at index (S, N), words of 16 bytes. Grid (N, S).
extern "C" __global__ void __launch_bounds__(THREADS)
    gather_pixels(const uint4* images, int words, const int* index, int index_stride, int n, uint4* x) {
  const int i = blockIdx.x, seed = blockIdx.y;
  const uint4* image = images + (wide)index[(wide)seed * index_stride + i] * words;
  uint4* row = x + ((wide)seed * n + i) * words;
  for (int word = threadIdx.x; word < words; word += THREADS) row[word] = image[word];
}

// The pixels of the images (M, D) at index (S, N), 255 times their value, in tiles of 16 pixels: by_image
// (S, D / 16, padded, 16) and by_pixel (S, D / 16, 16, padded), `padded` images, a multiple of 16, of which those behind N
// are black. In by_pixel pixel d of a tile has the row that `slot_of` says. Grid (D / 16, S).
extern "C" __global__ void __launch_bounds__(THREADS)
    pack(const real* images, int D, const int* index, int index_stride, int n, int padded, unsigned short* by_image,
         unsigned short* by_pixel) {
  const wide tile = (wide)blockIdx.y * gridDim.x + blockIdx.x;
  unsigned short *image_tile = by_image + tile * padded * TILE, *pixel_tile = by_pixel + tile * padded * TILE;
  for (int at = threadIdx.x; at < padded * TILE; at += THREADS) {
    const int i = at / TILE, d = at % TILE;
    real pixel = 0;
    if (i < n) pixel = images[(wide)index[(wide)blockIdx.y * index_stride + i] * D + blockIdx.x * TILE + d];
    const unsigned short bits = __float_as_uint((float)rint(255 * pixel)) >> 16;
    image_tile[at] = bits, pixel_tile[slot_of(d) * padded + i] = bits;
  }
}
