"""Normalisation of one replica's activations, forward and backward: the rules of `norm.formulas` and `norm.affine`.

Arguments that several functions share, all of one float dtype:

- x, y (N, D): input and output of the normalisation; gx, gy (N, D): their gradients;
- begin, end: the rows of x that are normalised together, a whole batch or a micro-batch; other rows are left alone;
- mean, std (D,): the batch's statistics, std with eps; run_mean, run_std (D,): the running ones, run_std with eps;
- r, d (D,): the corrections of batch renormalisation, 1 and 0 for batch normalisation;
- gamma, beta (D,): the affine parameters, one value per node; ggamma, gbeta (D,): their gradients;
- eps: scalar, added to variances.
"""

import numpy as np

from bnrenorm.engines.cpu.codegen.arrays import vector
from bnrenorm.engines.cpu.codegen.decorators import formula, strict_subroutine, subroutine
from bnrenorm.engines.cpu.codegen.products import dot, row_sum
from bnrenorm.engines.spec import NODE


@formula
def running_std(tracked, eps, track_std):
    """Return the standard deviation, eps included, from the running average of standard deviations or variances."""
    return tracked if track_std else np.sqrt(tracked + eps)


@strict_subroutine
def inference_scale(gamma, tracked, eps, track_std):
    """Return gamma over the running standard deviation: scalars.

    Strict, since processors differ in their estimates of 1 / sqrt(x), which LLVM takes where it is allowed to.
    """
    return gamma / running_std(tracked, eps, track_std)


@formula
def tracked_scale(var, std, bessel, track_std):
    """Return what the running average tracks: the batch's std, or its variance with Bessel's correction."""
    return std if track_std else var * bessel


@formula
def bessel(n):
    """Return Bessel's correction for the variance of n examples."""
    return n / max(n - 1.0, 1.0)


@formula
def moving_average(old, total, count, weight):
    """Return an average moved towards the mean of `count` new values with the sum `total`.

    weight: (1 - decay) / count.
    """
    return old + weight * (total - count * old)


@subroutine
def read_affine(p, offset, affine, gamma, beta):
    """Set gamma and beta from parameters p (P,), in which they begin at `offset`; -1: set them to 1 and 0.

    affine: `spec.NODE`, D values each, or `spec.SHARED`, one value each for all nodes.
    """
    width = len(gamma)
    for k in range(width):
        gamma[k] = 1 if offset < 0 else p[offset + (k if affine == NODE else 0)]
        beta[k] = 0 if offset < 0 else p[offset + (width + k if affine == NODE else 1)]


@subroutine
def moments(x, begin, end, mean, var, total):
    """Set mean and var (D,), the biased variance, in two passes. The mean is summed in total (D,) float64, scratch."""
    n, width = end - begin, x.shape[1]
    for k in range(width):
        total[k] = 0.0
        var[k] = 0
    for i in range(begin, end):
        for k in range(width):
            total[k] += x[i, k]
    for k in range(width):
        mean[k] = total[k] / n
    for i in range(begin, end):
        for k in range(width):
            c = x[i, k] - mean[k]
            var[k] += c * c
    for k in range(width):
        var[k] /= var.dtype.type(n)


@subroutine
def corrections(mean, std, run_mean, run_std, r_max, d_max, r, d):
    """Set r and d, clipped by the scalars r_max >= 1 and d_max >= 0. [BRN17, Alg. 1]"""
    low = mean.dtype.type(1) / r_max
    for k in range(len(mean)):
        inverse = mean.dtype.type(1) / run_std[k]  # LLVM does so itself on some processors only
        ratio, distance = std[k] * inverse, (mean[k] - run_mean[k]) * inverse
        # written so that NaN stays NaN
        r[k] = low if ratio < low else (r_max if ratio > r_max else ratio)
        d[k] = -d_max if distance < -d_max else (d_max if distance > d_max else distance)


@subroutine
def forward(x, begin, end, mean, std, r, d, gamma, beta, scale, shift, y):
    """Set y = gamma ((x - mean) / std r + d) + beta; scale and shift (D,) are scratch."""
    width = x.shape[1]
    for k in range(width):
        scale[k] = gamma[k] * r[k] / std[k]
        shift[k] = gamma[k] * d[k] + beta[k]
    for i in range(begin, end):
        for k in range(width):
            y[i, k] = (x[i, k] - mean[k]) * scale[k] + shift[k]


@subroutine
def backward(gy, x, begin, end, mean, std, r, d, gamma, scale, sum_dy_xmu, sum_dy, gx, ggamma, gbeta):
    """Set gx, and add to ggamma and gbeta. mean and std depend on x, r and d do not. [BRN17, sec. 3]

    scale, sum_dy_xmu (sum of gy (x - mean)) and sum_dy (sum of gy), (D,) each, are scratch.
    """
    n, width = x.dtype.type(end - begin), x.shape[1]
    for k in range(width):
        sum_dy_xmu[k] = 0
        sum_dy[k] = 0
    for i in range(begin, end):
        for k in range(width):
            sum_dy_xmu[k] += gy[i, k] * (x[i, k] - mean[k])
            sum_dy[k] += gy[i, k]
    for k in range(width):
        gbeta[k] += sum_dy[k]
        ggamma[k] += sum_dy_xmu[k] * (r[k] / std[k]) + sum_dy[k] * d[k]
        sum_dy_xmu[k] = -sum_dy_xmu[k] / (n * std[k] * std[k])
        sum_dy[k] = sum_dy[k] / n
        scale[k] = gamma[k] * r[k] / std[k]
    for i in range(begin, end):
        for k in range(width):
            gx[i, k] = ((x[i, k] - mean[k]) * sum_dy_xmu[k] + gy[i, k] - sum_dy[k]) * scale[k]


@strict_subroutine
def layer_forward(x, eps, gamma, beta, mean, std, y):
    """Set y, each row normalised by its own mean and std (N,), which are set for the backward pass. [LN16]"""
    n, width = x.shape
    for i in range(n):
        centred = vector(y, i * width, width)
        mean[i] = row_sum(vector(x, i * width, width)) / x.dtype.type(width)
        for k in range(width):
            centred[k] = x[i, k] - mean[i]
        std[i] = np.sqrt(dot(centred, centred) / x.dtype.type(width) + eps)
        for k in range(width):
            y[i, k] = centred[k] / std[i] * gamma[k] + beta[k]


@strict_subroutine
def layer_backward(gy, x, mean, std, gamma, gx, ggamma, gbeta):
    """Set gx, and add to ggamma and gbeta; mean and std (N,) as from `layer_forward`."""
    n, width = x.shape
    for i in range(n):
        g, weighted = vector(gy, i * width, width), vector(gx, i * width, width)
        for k in range(width):
            hat = (x[i, k] - mean[i]) / std[i]
            ggamma[k] += g[k] * hat
            gbeta[k] += g[k]
            weighted[k] = gamma[k] * hat
        mean_g, mean_g_hat = dot(g, gamma) / x.dtype.type(width), dot(g, weighted) / x.dtype.type(width)
        for k in range(width):
            hat = (x[i, k] - mean[i]) / std[i]
            gx[i, k] = (g[k] * gamma[k] - mean_g - hat * mean_g_hat) / std[i]
