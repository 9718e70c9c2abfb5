"""How far to go along a direction: a line search for L-BFGS.

Before it: nothing but NumPy's numbers. After it: `lbfgs.py`.
"""

from __future__ import annotations

__all__ = ["strong_wolfe"]


def cubic_minimum(x1, f1, g1, x2, f2, g2, bounds=None):
    """Where a cubic through (x1, f1) and (x2, f2) with the slopes g1 and g2 is least, kept within `bounds`.

    (Nocedal and Wright: Numerical Optimization, 2006, equation 3.59; without a minimum, the middle of the bounds)
    """
    low, high = bounds or ((x1, x2) if x1 <= x2 else (x2, x1))
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if x1 <= x2:
        least = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        least = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(least, low), high)


def strong_wolfe(evaluate, t, d, f, g, slope, c1=1e-4, c2=0.9, tolerance_change=1e-9, max_ls=25):
    """Look for a step t along d that lowers the loss enough, and where the slope along d is flat enough:

        f(t) <= f + c1 t slope      and      |slope(t)| <= c2 |slope|

    First t grows until a point that will do lies between it and the t before; then that bracket shrinks, to the least
    point of a cubic each time. (Nocedal and Wright: Numerical Optimization, 2006, algorithms 3.5 and 3.6, in the form
    of M. Schmidt's minFunc, which is PyTorch's as well)

    Args:
        evaluate (Callable): from t to the loss (float) and the gradient (ndarray) there.
        t (float): the first step to try.
        d (ndarray): the direction.
        f (float), g (ndarray), slope (float): loss, gradient, and slope along d, at 0.
        c1, c2 (float): the conditions above.
        tolerance_change (float): a bracket in which no parameter moves by more is small enough.
        max_ls (int): so many calls of `evaluate` at most, after the first.

    Returns:
        loss, gradient, t, and the number of calls of `evaluate`.
    """
    reach = abs(d).max()
    f_new, g_new = evaluate(t)
    slope_new, calls = g_new @ d, 1

    def is_too_high(t, f_new):
        return f_new > f + c1 * t * slope

    # Each point is (t, loss, gradient, slope).
    before, bracket, done = (0, f, g, slope), [], False
    tries = 0
    while tries < max_ls:
        here = (t, f_new, g_new, slope_new)
        if is_too_high(t, f_new) or (tries > 1 and f_new >= before[1]):
            bracket = [before, here]
            break
        if abs(slope_new) <= -c2 * slope:
            bracket, done = [here], True
            break
        if slope_new >= 0:
            bracket = [before, here]
            break
        bounds = t + 0.01 * (t - before[0]), t * 10
        t = cubic_minimum(before[0], before[1], before[3], t, f_new, slope_new, bounds)
        before = here
        f_new, g_new = evaluate(t)
        slope_new, calls, tries = g_new @ d, calls + 1, tries + 1
    if not bracket:
        bracket = [(0, f, g, slope), (t, f_new, g_new, slope_new)]

    is_stuck = False  # the last minimum was close to an end of the bracket
    low, high = (0, 1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
    while not done and tries < max_ls:
        if abs(bracket[1][0] - bracket[0][0]) * reach < tolerance_change:
            break
        (x1, f1, _, g1), (x2, f2, _, g2) = bracket
        t = cubic_minimum(x1, f1, g1, x2, f2, g2)
        left, right = min(x1, x2), max(x1, x2)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) < margin:
            if is_stuck or t >= right or t <= left:
                t = right - margin if abs(t - right) < abs(t - left) else left + margin
                is_stuck = False
            else:
                is_stuck = True
        else:
            is_stuck = False
        f_new, g_new = evaluate(t)
        slope_new, calls, tries = g_new @ d, calls + 1, tries + 1
        here = (t, f_new, g_new, slope_new)
        if is_too_high(t, f_new) or f_new >= bracket[low][1]:
            bracket[high] = here
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(slope_new) <= -c2 * slope:
                done = True
            elif slope_new * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = here
    t, f_new, g_new, _ = bracket[low]
    return f_new, g_new, t, calls
