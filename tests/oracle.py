"""Oracles in float64, written from the papers and the second article: scalar formulas, and a whole learner.

Nothing of bnrenorm is used.
"""

from math import exp, fsum, log, sqrt

import numpy as np


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


class ArticleLearner:
    """The second article's network and update rules, in NumPy's float64, a matrix at a time.

    weights: one (K, D) a layer. norm: None, "N" (no gamma, beta), "BN" (one of each a layer, learning by the nodes'
    mean gradient) or "BN(n)" (one a node). masks: for every step, one array of 0 and 1 a layer, inputs first.
    """

    def __init__(self, weights, *, rate, norm=None, affine_rate=None, activation="relu", alpha=0.01, output="softmax",
                 loss="cross_entropy", l1=0.0, l2=0.0):  # fmt: skip
        self.w = [np.array(w, float) for w in weights]
        self.b = [np.zeros(len(w)) for w in self.w]
        self.gamma = [np.ones(len(w) if norm == "BN(n)" else 1) for w in self.w[:-1]]
        self.beta = [np.zeros_like(gamma) for gamma in self.gamma]
        self.rate, self.norm, self.affine_rate = rate, norm, affine_rate or rate
        self.activation, self.alpha, self.output, self.loss, self.l1, self.l2 = activation, alpha, output, loss, l1, l2

    def step(self, x, labels, masks=None):
        """Take one step of SGD on a batch (N, D)."""
        masks = masks or [np.ones(len(w.T)) for w in self.w]
        a, kept = x * masks[0], []
        for k, (w, b) in enumerate(zip(self.w[:-1], self.b[:-1], strict=True)):
            z = a @ w.T + b
            mean, std = z.mean(axis=0), np.maximum(z.std(axis=0), 1e-7)
            xn = (z - mean) / std
            y = z if self.norm is None else self.gamma[k] * xn + self.beta[k]
            kept.append((a, xn, std, y))
            a = self.function(y) * masks[k + 1]
        logits = a @ self.w[-1].T + self.b[-1]
        g = self.gradient_of_loss(logits, labels)
        for k in range(len(self.w) - 1, -1, -1):
            below = a if k == len(self.w) - 1 else kept[k][0]
            gw, gb, g_below = g.T @ below, g.sum(axis=0), g @ self.w[k]
            self.w[k] -= self.rate * (gw + self.l2 * self.w[k] + self.l1 * np.sign(self.w[k]))
            self.b[k] -= self.rate * gb
            if k:
                _, xn, std, y = kept[k - 1]
                g = self.back_through_norm(k - 1, g_below * masks[k] * self.derivative(y), xn, std)

    def back_through_norm(self, k, g, xn, std):
        if self.norm is None:
            return g
        n = len(g)
        ggamma, gbeta = (g * xn).sum(axis=0), g.sum(axis=0)
        g_hat = g * self.gamma[k]
        gz = (n * g_hat - g_hat.sum(axis=0) - xn * (g_hat * xn).sum(axis=0)) / (n * std)
        if self.norm == "BN":
            ggamma, gbeta = ggamma.mean(keepdims=True), gbeta.mean(keepdims=True)
        if self.norm != "N":
            self.gamma[k] = self.gamma[k] - self.affine_rate * ggamma
            self.beta[k] = self.beta[k] - self.affine_rate * gbeta
        return gz

    def gradient_of_loss(self, logits, labels):
        n, classes = logits.shape
        t = np.eye(classes)[labels]
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True) if self.output == "softmax" else logits
        if self.loss == "cross_entropy":
            return (p - t) / n
        g = (p - t) / n  # of half the sum over classes of (p - t)^2, averaged over images
        return p * (g - (g * p).sum(axis=1, keepdims=True)) if self.output == "softmax" else g

    def function(self, y):
        return {
            "relu": lambda: np.maximum(y, 0),
            "sigmoid": lambda: 1 / (1 + np.exp(-y)),
            "tanh": lambda: np.tanh(y),
            "leaky_relu": lambda: np.where(y > 0, y, self.alpha * y),
            "identity": lambda: y,
            "softplus": lambda: np.log1p(np.exp(y)),
            "softsign": lambda: y / (1 + abs(y)),
            "step": lambda: np.where(y > 0, 1.0, 0.0),
        }[self.activation]()

    def derivative(self, y):
        sigmoid = 1 / (1 + np.exp(-y))
        return {
            "relu": lambda: np.where(y > 0, 1.0, 0.0),
            "sigmoid": lambda: sigmoid * (1 - sigmoid),
            "tanh": lambda: 1 - np.tanh(y) ** 2,
            "leaky_relu": lambda: np.where(y > 0, 1.0, self.alpha),
            "identity": lambda: np.ones_like(y),
            "softplus": lambda: sigmoid,
            "softsign": lambda: 1 / (1 + abs(y)) ** 2,
            "step": lambda: np.zeros_like(y),
        }[self.activation]()
