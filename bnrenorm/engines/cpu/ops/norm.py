"""Normalisation of one replica's activations, forward and backward: `norm.formulas` and `norm.affine` fused.

x, y, gy, gx are (N, D), statistics and parameters (D,), of one float dtype. The batch's statistics are those of rows
`first` to `last`: a whole batch, or a micro-batch.
"""

import numpy as np

from bnrenorm.engines.cpu.codegen.decorators import inlined, kernel, rule, shared
from bnrenorm.engines.cpu.ops.spec import NODE


@rule
def running_std(tracked, eps, track_std):
    """Return the standard deviation, eps included, from the running average of standard deviations or variances."""
    return tracked if track_std else np.sqrt(tracked + eps)


@rule
def tracked_scale(var, std, bessel, track_std):
    """Return what the running average takes in: the batch's std, or its variance with Bessel's correction."""
    return std if track_std else var * bessel


@rule
def bessel(n):
    """Return Bessel's correction for the variance of n examples."""
    return n / max(n - 1.0, 1.0)


@rule
def moving_average(old, total, count, weight):
    """Move an average towards the mean of `count` new values, given their total; weight: (1 - decay) / count."""
    return old + weight * (total - count * old)


@inlined
def read_affine(p, offset, affine, gamma, beta):
    """Read gamma and beta (D,) from parameters p (P,), spread over the nodes; offset -1: 1 and 0.

    affine: `spec.NODE` or `spec.SHARED`.
    """
    width = len(gamma)
    for k in range(width):
        gamma[k] = 1 if offset < 0 else p[offset + (k if affine == NODE else 0)]
        beta[k] = 0 if offset < 0 else p[offset + (width + k if affine == NODE else 1)]


@kernel
def read_affine_of(p, offset, affine, gamma, beta):
    """Do `read_affine`, called from Python."""
    read_affine(p, offset, affine, gamma, beta)


@inlined
def moments(x, first, last, mean, var, total):
    """Set the mean, summed in float64 (`total` is room for it), and the biased variance, in a second pass."""
    n, width = last - first, x.shape[1]
    for k in range(width):
        total[k] = 0.0
        var[k] = 0
    for i in range(first, last):
        for k in range(width):
            total[k] += x[i, k]
    for k in range(width):
        mean[k] = total[k] / n
    for i in range(first, last):
        for k in range(width):
            c = x[i, k] - mean[k]
            var[k] += c * c
    for k in range(width):
        var[k] /= var.dtype.type(n)


@inlined
def corrections(mean, std, run_mean, run_std, r_max, d_max, r, d):
    """Set r and d, clipped. [BRN17, Alg. 1]"""
    low = mean.dtype.type(1) / r_max
    for k in range(len(mean)):
        ratio = std[k] / run_std[k]
        distance = (mean[k] - run_mean[k]) / run_std[k]
        # written so that NaN stays NaN
        r[k] = low if ratio < low else (r_max if ratio > r_max else ratio)
        d[k] = -d_max if distance < -d_max else (d_max if distance > d_max else distance)


@inlined
def forward(x, first, last, mean, std, r, d, gamma, beta, scale, shift, y):
    """y = gamma ((x - mean) / std r + d) + beta; scale and shift (D,) are room."""
    width = x.shape[1]
    for k in range(width):
        scale[k] = gamma[k] * r[k] / std[k]
        shift[k] = gamma[k] * d[k] + beta[k]
    for i in range(first, last):
        for k in range(width):
            y[i, k] = (x[i, k] - mean[k]) * scale[k] + shift[k]


@inlined
def backward(gy, x, first, last, mean, std, r, d, gamma, scale, sum_dy_xmu, sum_dy, gx, ggamma, gbeta):
    """Set gx, and add to ggamma and gbeta; mean and std depend on x, r and d do not. scale and sums are scratch."""
    n, width = x.dtype.type(last - first), x.shape[1]
    for k in range(width):
        sum_dy_xmu[k] = 0
        sum_dy[k] = 0
    for i in range(first, last):
        for k in range(width):
            sum_dy_xmu[k] += gy[i, k] * (x[i, k] - mean[k])
            sum_dy[k] += gy[i, k]
    for k in range(width):
        gbeta[k] += sum_dy[k]
        ggamma[k] += sum_dy_xmu[k] * (r[k] / std[k]) + sum_dy[k] * d[k]
        sum_dy_xmu[k] = -sum_dy_xmu[k] / (n * std[k] * std[k])
        sum_dy[k] = sum_dy[k] / n
        scale[k] = gamma[k] * r[k] / std[k]
    for i in range(first, last):
        for k in range(width):
            gx[i, k] = ((x[i, k] - mean[k]) * sum_dy_xmu[k] + gy[i, k] - sum_dy[k]) * scale[k]


@shared
def layer_forward(x, eps, gamma, beta, mean, std, y):
    """Layer normalisation [LN16]; mean and std (N,) are kept for the way back."""
    n, width = x.shape
    for i in range(n):
        total = 0.0
        for k in range(width):
            total += x[i, k]
        centre = x.dtype.type(total / width)
        square = x.dtype.type(0)
        for k in range(width):
            square += (x[i, k] - centre) * (x[i, k] - centre)
        mean[i] = centre
        std[i] = np.sqrt(square / x.dtype.type(width) + eps)
        for k in range(width):
            y[i, k] = (x[i, k] - centre) / std[i] * gamma[k] + beta[k]


@inlined
def layer_backward(gy, x, mean, std, gamma, gx, ggamma, gbeta):
    """Set gx, and add to ggamma and gbeta."""
    n, width = x.shape
    for i in range(n):
        plain = sum_dy_xmu = x.dtype.type(0)
        for k in range(width):
            hat = (x[i, k] - mean[i]) / std[i]
            g = gy[i, k] * gamma[k]
            ggamma[k] += gy[i, k] * hat
            gbeta[k] += gy[i, k]
            plain += g
            sum_dy_xmu += g * hat
        plain /= x.dtype.type(width)
        sum_dy_xmu /= x.dtype.type(width)
        for k in range(width):
            hat = (x[i, k] - mean[i]) / std[i]
            gx[i, k] = (gy[i, k] * gamma[k] - plain - hat * sum_dy_xmu) / std[i]
