"""Scalar oracles in Python floats (float64), written from the papers: no NumPy, nothing of bnrenorm."""

from math import exp, fsum, log, sqrt


def clip(value, low, high):
    return min(max(value, low), high)


def moments(x):
    """One feature: N floats -> (mean, biased variance)."""
    mean = fsum(x) / len(x)
    return mean, fsum((v - mean) ** 2 for v in x) / len(x)


def corrections(mean, std, run_mean, run_std, r_max, d_max):
    """(r, d) of one feature. [BRN17, Alg. 1]"""
    return clip(std / run_std, 1 / r_max, r_max), clip((mean - run_mean) / run_std, -d_max, d_max)


def renorm_column(x, gamma, beta, run_mean, run_std, r_max, d_max, eps):
    """One feature of one replica: N floats -> N floats. [BRN17, Alg. 1]"""
    mean, var = moments(x)
    std = sqrt(var + eps)
    r, d = corrections(mean, std, run_mean, run_std, r_max, d_max)
    return [gamma * ((v - mean) / std * r + d) + beta for v in x]


def renorm_column_gradient(gy, x, gamma, r, d, eps):
    """(gx, ggamma, gbeta) of one feature by the chain rule, step by step as in [BN15, sec. 3] with r and d constant."""
    n = len(x)
    mean, var = moments(x)
    std = sqrt(var + eps)
    g_hat = [g * gamma * r for g in gy]  # with respect to (x - mean) / std
    g_var = fsum(g * (v - mean) for g, v in zip(g_hat, x, strict=True)) * -0.5 * (var + eps) ** -1.5
    g_mean = -fsum(g_hat) / std - 2 * g_var * fsum(v - mean for v in x) / n
    gx = [g / std + g_var * 2 * (v - mean) / n + g_mean / n for g, v in zip(g_hat, x, strict=True)]
    ggamma = fsum(g * ((v - mean) / std * r + d) for g, v in zip(gy, x, strict=True))
    return gx, ggamma, fsum(gy)


def running(start, values, decay):
    """Closed form of the running average of `values` after all of them: decay^k start + (1 - decay) sum of weights."""
    k = len(values)
    return decay**k * start + (1 - decay) * fsum(decay ** (k - 1 - i) * v for i, v in enumerate(values))


def cross_entropy(logits, label):
    """Softmax cross entropy of one example, in nats."""
    top = max(logits)
    return log(fsum(exp(v - top) for v in logits)) + top - logits[label]
