// Functions of one or two numbers that the op language has and JavaScript's Math has not; see viz/chain/javascript.py.
// Each is accurate to about 1e-12, by the textbook series (Abramowitz and Stegun; Numerical Recipes).
"use strict";

Object.assign(
  mg.math,
  (() => {
    const ROOT_PI = Math.sqrt(Math.PI);

    // erf by its series (A&S 7.1.6), erfc by its continued fraction (A&S 7.1.14), each where it converges fast.
    function erf(x) {
      if (Math.abs(x) > 2.5) return Math.sign(x) * (1 - erfc(Math.abs(x)));
      let sum = 0;
      let term = x;
      for (let n = 0; Math.abs(term) > 1e-17 * Math.abs(sum) || n === 0; n++) {
        sum += term;
        term *= (2 * x * x) / (2 * n + 3);
        if (n > 200) break;
      }
      return (2 / ROOT_PI) * Math.exp(-x * x) * sum;
    }

    function erfcx(x) {
      if (x < 2.5) return Math.exp(x * x) * (1 - erf(x));
      let fraction = x;
      for (let k = 100; k >= 1; k--) fraction = x + k / 2 / fraction;
      return 1 / (ROOT_PI * fraction);
    }

    const erfc = (x) => (x < 2.5 ? 1 - erf(x) : Math.exp(-x * x) * erfcx(x));

    function erfinv(y) {
      if (Math.abs(y) >= 1) return Math.abs(y) === 1 ? y * Infinity : NaN;
      const log = Math.log(1 - y * y);
      const half = 2 / (Math.PI * 0.147) + log / 2;
      let x = Math.sign(y) * Math.sqrt(Math.sqrt(half * half - log / 0.147) - half); // Winitzki's start
      for (let i = 0; i < 6; i++) {
        const error = Math.abs(y) < 0.9 ? erf(x) - y : Math.sign(y) * (1 - Math.abs(y) - erfc(Math.abs(x)));
        x -= error / ((2 / ROOT_PI) * Math.exp(-x * x));
      }
      return x;
    }

    // Stirling's series after moving x up to where it is exact enough (A&S 6.1.41), by reflection below zero.
    function lgamma(x) {
      if (x <= 0 && Number.isInteger(x)) return Infinity;
      if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - lgamma(1 - x);
      let shift = 0;
      for (; x < 15; x++) shift += Math.log(x);
      const y = 1 / (x * x);
      const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
      return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - shift;
    }

    function digamma(x) {
      if (x === 0) return -Infinity;
      if (x < 0) return Number.isInteger(x) ? NaN : digamma(1 - x) - Math.PI / Math.tan(Math.PI * x);
      let sum = 0;
      for (; x < 15; x++) sum -= 1 / x;
      const y = 1 / (x * x);
      return sum + Math.log(x) - 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y / 132))));
    }

    // Hurwitz' zeta by Euler and Maclaurin's sum.
    function zeta(s, q) {
      if (s === 1) return Infinity;
      if (s < 1 || (q <= 0 && !Number.isInteger(s))) return NaN;
      if (q <= 0 && Number.isInteger(q)) return Infinity;
      const TERMS = 12;
      let sum = 0;
      for (let k = 0; k < TERMS || q + k < TERMS; k++) {
        sum += (q + k) ** -s;
        if (k >= TERMS - 1 && q + k + 1 >= TERMS) {
          q += k + 1;
          break;
        }
      }
      sum += q ** (1 - s) / (s - 1) + q ** -s / 2;
      const bernoulli = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6];
      let term = (s * q ** (-s - 1)) / 2;
      for (let j = 0; j < bernoulli.length; j++) {
        sum += bernoulli[j] * term;
        term *= ((s + 2 * j + 1) * (s + 2 * j + 2)) / (q * q * (2 * j + 3) * (2 * j + 4));
      }
      return sum;
    }

    function polygamma(x, n) {
      if (n === 0) return digamma(x);
      let factorial = 1;
      for (let k = 2; k <= n; k++) factorial *= k;
      return (n % 2 ? 1 : -1) * factorial * zeta(n + 1, x);
    }

    // exp(-|x|) I_n(x) for n = 0, 1: the power series (A&S 9.6.10), far out the asymptotic one (A&S 9.7.1).
    function bessel(n, x) {
      const size = Math.abs(x);
      const sign = n === 1 && x < 0 ? -1 : 1;
      let sum = 0;
      if (size < 30) {
        let term = n === 1 ? size / 2 : 1;
        for (let k = 1; term > 1e-17 * sum; k++) {
          sum += term;
          term *= (size * size) / (4 * k * (k + n));
        }
        return sign * sum * Math.exp(-size);
      }
      let term = 1;
      for (let k = 1; k < 30; k++) {
        sum += term;
        term *= -(4 * n * n - (2 * k - 1) ** 2) / (8 * k * size);
      }
      return (sign * sum) / Math.sqrt(2 * Math.PI * size);
    }

    // The lower incomplete gamma function P(a, x) by its series, the upper one Q by its continued fraction (A&S 6.5).
    function igamma(a, x) {
      if (a < 0 || x < 0) return NaN;
      if (a === 0) return x > 0 ? 1 : NaN;
      if (x === 0) return 0;
      if (x > a + 1) return 1 - igammac(a, x);
      let sum = 0;
      let term = 1 / a;
      for (let k = 1; k < 2000 && term > 1e-17 * sum; k++) {
        sum += term;
        term *= x / (a + k);
      }
      return sum * Math.exp(a * Math.log(x) - x - lgamma(a));
    }

    function igammac(a, x) {
      if (a < 0 || x < 0) return NaN;
      if (a === 0) return x > 0 ? 0 : NaN;
      if (x <= a + 1) return 1 - igamma(a, x);
      let fraction = 0;
      for (let k = 300; k >= 1; k--) fraction = (k * (k - a)) / (x + 2 * k + 1 - a - fraction);
      return Math.exp(a * Math.log(x) - x - lgamma(a)) / (x + 1 - a - fraction);
    }

    const ROOT_HALF = Math.SQRT1_2;
    const logNdtr = (x) => (x < -1 ? Math.log(erfcx(-x * ROOT_HALF) / 2) - (x * x) / 2 : Math.log1p(-erfc(x * ROOT_HALF) / 2));

    function ndtri(p) {
      if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : NaN;
      if (p > 0.01) return erfinv(2 * p - 1) / ROOT_HALF;
      let x = -Math.sqrt(-2 * Math.log(p)); // then Newton's steps on the logarithm
      for (let i = 0; i < 30; i++) x -= (logNdtr(x) - Math.log(p)) / (Math.sqrt(2 / Math.PI) / erfcx(-x * ROOT_HALF));
      return x;
    }

    function round(x) {
      const down = Math.floor(x);
      if (x - down !== 0.5) return Math.round(x);
      return down % 2 === 0 ? down : down + 1; // halves go to the even neighbour
    }

    const gcd = (a, b) => (b === 0 ? Math.abs(a) : gcd(b, a % b));

    return {
      erf,
      erfc,
      erfinv,
      special_erfcx: erfcx,
      lgamma,
      digamma,
      polygamma_of: polygamma,
      special_zeta: zeta,
      special_ndtri: ndtri,
      special_log_ndtr: logNdtr,
      igamma,
      igammac,
      i0: (x) => bessel(0, x) * Math.exp(Math.abs(x)),
      special_i0e: (x) => bessel(0, x),
      special_i1: (x) => bessel(1, x) * Math.exp(Math.abs(x)),
      special_i1e: (x) => bessel(1, x),
      round,
      gcd,
      lcm: (a, b) => (a === 0 || b === 0 ? 0 : Math.abs(a * b) / gcd(a, b)),
      copysign: (x, sign) => (sign < 0 || Object.is(sign, -0) ? -Math.abs(x) : Math.abs(x)),
      floor_divide: (a, b) => Math.floor(a / b),
      fmod: (a, b) => a % b,
      remainder: (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b),
      isinf: (x) => x === Infinity || x === -Infinity,
      isfinite: Number.isFinite,
      one_less: (n) => (n === 0 ? 0 : n - 1),
    };
  })(),
);

mg.ops.where = {
  inputs: ["condition", "input", "other"],
  attributes: [],
  label: "where",
  formula: "⟨input⟩ if ⟨condition⟩, else ⟨other⟩",
  formulas: { input: "1 if ⟨condition⟩, else 0", other: "0 if ⟨condition⟩, else 1" },
  forward: (condition, input, other) => (condition ? input : other),
  derivatives: { input: (condition) => (condition ? 1 : 0), other: (condition) => (condition ? 0 : 1) },
};
