"""A `Health` as HTML, for notebooks: one element with its own style, readable on a light and on a dark page.

Used by `report.py`. Every text that comes from outside is escaped.
"""

from __future__ import annotations

import math
from html import escape

from minigrad.viz.graph.model import clean
from minigrad.viz.vitals.report import SIGNS, short, signs_of
from minigrad.viz.vitals.rules import ERROR, NOTE, WARNING
from minigrad.viz.vitals.words import WORDS

__all__ = ["html_of"]

MOST = 200  # rows
COLOURS = {ERROR: "#d55e00", WARNING: "#c98a00", NOTE: "#0072b2", "": "#009e73"}  # Okabe and Ito; signs differ too

STYLE = """
.mg-health{font:13px/1.45 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans KR',sans-serif;
max-width:72em}
.mg-health .mg-wide{overflow-x:auto}
.mg-health table{border-collapse:collapse;margin:.5em 0;font:inherit;color:inherit;font-variant-numeric:tabular-nums}
.mg-health th,.mg-health td{padding:.22em .7em;text-align:right;border:0;background:none;white-space:nowrap}
.mg-health thead th{font-weight:600;opacity:.75;border-bottom:1px solid #8888;vertical-align:bottom;white-space:normal}
.mg-health tbody tr+tr td{border-top:1px solid #8883}
.mg-health .mg-name{text-align:left;font-weight:600;max-width:22em;overflow:hidden;text-overflow:ellipsis}
.mg-health .mg-kind{text-align:left;opacity:.75}
.mg-health .mg-bar{display:inline-block;width:3.6em;height:.55em;margin-left:.55em;background:#8883;border-radius:.3em;
overflow:hidden;vertical-align:middle;text-align:left}
.mg-health .mg-bar i{display:block;height:100%;border-radius:.3em}
.mg-health .mg-soft{opacity:.75}
.mg-health .mg-say{border-left:4px solid;padding:.15em .8em;margin:.5em 0}
.mg-health .mg-say b{margin-right:.4em}
.mg-health .mg-cure{opacity:.85}
""".strip()


def html_of(health) -> str:
    """The heading, the table with bars, and the verdicts with their cures."""
    words, language = WORDS[health.language], health.language
    parts = [f"<p><b>{words['title']}</b> <span class='mg-soft'>{escape(health.heading())}</span></p>"]
    if health.rows:
        parts.append(_table(health, words))
    for verdict in health.verdicts:
        colour, cure = COLOURS[verdict.severity], _safe(verdict.cure(language))
        source = f" title='{_safe(verdict.source)}'" if verdict.source else ""
        parts.append(
            f"<div class='mg-say' style='border-color:{colour}'{source}><b style='color:{colour}'>"
            f"{SIGNS[verdict.severity]} {words[verdict.severity]}</b>{_safe(verdict.text(language))}"
            + (f"<div class='mg-cure'>→ {cure}</div>" if cure else "")
            + "</div>"
        )
    if not health.verdicts and health.rows and not health.unknown:
        colour = COLOURS[""]
        parts.append(
            f"<div class='mg-say' style='border-color:{colour}'><b style='color:{colour}'>{SIGNS['']}</b>"
            f"{words['healthy']}</div>"
        )
    if health.unknown:
        lines = "".join(f"<li>{_safe(line)}</li>" for line in health.unknown)
        parts.append(f"<div class='mg-soft'>{words['unknown']}:<ul style='margin:0'>{lines}</ul></div>")
    return f"<div class='mg-health' lang='{language}'><style>{STYLE}</style>{''.join(parts)}</div>"


def _safe(text):
    return escape(clean(text), quote=True)


def _table(health, words):
    rows, signs = health.rows[:MOST], signs_of(health.rows, health.verdicts)
    scales = {key: _scale([row[key] for row in rows]) for key in ("grad_norm", "weight_grad_norm")}
    head = [f"<th></th><th class='mg-name'>{words['layer']}</th><th class='mg-kind'>{words['kind']}</th>"]
    head += [f"<th>{words['output']}</th><th title='{_safe(words['off-long'])}'>{words['off']}</th>"]
    head += [f"<th>{words[key]}</th>" for key in ("grad", "weights", "ratio")]
    body = []
    for row, sign in zip(rows, signs, strict=False):
        said = words[sign] if sign else ""
        cells = [f"<td style='color:{COLOURS[sign]}' title='{said}'>{SIGNS[sign]}</td>"]
        cells.append(f"<td class='mg-name' title='{_safe(row['layer'])}'>{_safe(row['layer'])}</td>")
        cells.append(f"<td class='mg-kind'>{_safe(row['kind'])}</td>")
        mean = short(row["out_mean"])
        cells.append(f"<td>{mean} ± {short(row['out_std'])}</td>" if mean else "<td></td>")
        cells.append(_share(row))
        for key, scale in scales.items():
            cells.append(_bar(short(row[key]), scale(row[key]), COLOURS[NOTE]))
        cells.append(f"<td>{short(row['update_ratio'])}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    if len(health.rows) > MOST:
        body.append(f"<tr><td></td><td class='mg-name'>⋮ {len(health.rows) - MOST}</td></tr>")
    inside = f"<thead><tr>{''.join(head)}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f"<div class='mg-wide'><table>{inside}</table></div>"


def _share(row):
    share = row["saturated"] if row["saturated"] is not None else row["dead"]
    if share is None:
        return "<td></td>"
    sign = "" if share < 0.4 else WARNING if share < 0.9 else ERROR
    return _bar(f"{100 * share:.0f} %", share, COLOURS[sign])


def _bar(text, share, colour):
    if not text:
        return "<td></td>"
    if share is None:
        return f"<td style='color:{COLOURS[ERROR]}'>{text}</td>"
    return f"<td>{text}<span class='mg-bar'><i style='width:{100 * share:.0f}%;background:{colour}'></i></span></td>"


def _scale(values):
    """From a norm to the length of its bar, 0 to 1: by its logarithm, over at least four orders of magnitude."""
    logs = [math.log10(v) for v in values if v is not None and v > 0 and math.isfinite(v)]
    top = max(logs, default=0.0)
    low = min([*logs, top - 4.0])

    def length(value):
        if value is None or not math.isfinite(value):
            return None
        return 0.0 if value <= 0 else 0.06 + 0.94 * (math.log10(value) - low) / (top - low)

    return length
