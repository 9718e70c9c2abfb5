"""The interactive form of a `Drawing`: pan, zoom, search, modules that open and close, facts of what is clicked.

Before it: `graph/model.py` (the boxes and edges), `graph/close.py` (what a closed module says).  In the page:
`assets/drawing.js`, which puts a `mg.GraphView`, a search field and a panel together.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, fields

from minigrad.viz.graph.close import module_box
from minigrad.viz.graph.model import Graph
from minigrad.viz.pages.shell import GRAPH, Page, page

__all__ = ["drawing_page"]

HEIGHTS = (320, 640)  # the least and the greatest height of the frame in a notebook, in CSS pixels

BODY = """
<header class="bar">
  <h1 data-t="heading"></h1>
  <form id="search" role="search" class="search">
    <input type="search" id="query" autocomplete="off" spellcheck="false" data-t-placeholder="search"
      data-t-label="searchLabel" aria-controls="hits">
    <span id="hits" role="status"></span>
    <span class="joined">
      <button type="button" id="previous" data-t-label="previous" data-t-title="previous" disabled>‹</button>
      <button type="submit" id="next" data-t-label="next" data-t-title="next" disabled>›</button>
    </span>
  </form>
  <div id="depths" class="joined" role="group" data-t-label="depths" hidden></div>
  <span class="push"></span>
  <button type="button" id="colours" aria-pressed="true" data-t="colours" data-t-title="coloursHint" hidden></button>
  <button type="button" id="side" aria-pressed="true" aria-controls="panel" data-t="panel"></button>
  <span data-switches></span>
</header>
<main class="split">
  <div id="graph"></div>
  <aside id="panel" data-t-label="panelLabel"></aside>
</main>
<p id="note" class="note" role="note" hidden></p>
"""

WORDS = {
    "en": {
        "heading": "Computation graph",
        "search": "Name, op, shape, module",
        "searchLabel": "Search by name, operation, shape or module",
        "hits": "{at} of {all}",
        "none": "nothing found",
        "previous": "Previous hit",
        "next": "Next hit",
        "depths": "How deep modules are open",
        "closeAll": "Close modules",
        "openTo": "Open to depth {n}",
        "openAll": "Open all",
        "colours": "Gradients",
        "coloursHint": "Colour edges by the size of the gradient that went back along them",
        "turn": "Turn: from left to right, or from top to bottom",
        "panel": "Facts",
        "panelLabel": "Facts about what is selected",
        "graphLabel": "Graph of {boxes} boxes. Arrow keys walk along it, Enter selects, plus and minus scale it.",
        "clear": "Back to the overview",
        "inputs": "Comes from",
        "outputs": "Goes to",
        "inside": "Inside",
        "open": "Open",
        "close": "Close",
        "counts": "What is here",
        "kinds": "Kinds of boxes",
        "strength": "Gradient along an edge (norm)",
        "weak": "weak",
        "strong": "strong",
        "zero": "exactly zero",
        "bad": "NaN or infinite",
        "keys": "Keys",
        "keysArrows": "along the graph",
        "keysEnter": "select; open or close a module",
        "keysScale": "scale; 0 shows all",
        "keysSearch": "search; Enter next hit, Shift+Enter previous",
        "keysEscape": "let go",
        "line": "Line",
        "times": "used {n} times",
        "gradient": "gradient norm",
        "selected": "{what} selected. {before} before it, {after} after it.",
        "mark-view": "view: shares memory",
        "mark-inplace": "written in place",
        "mark-backward": "of a backward pass",
        "mark-stopped": "gradients end here",
        "fact-": "",
        "operations": "operations",
        "leaves": "leaves",
        "modules": "modules",
        "boxes": "boxes",
        "edges": "edges",
    },
    "ko": {
        "heading": "계산 그래프",
        "search": "이름, 연산, 모양, 모듈",
        "searchLabel": "이름, 연산, 모양, 모듈로 검색",
        "hits": "{all}개 중 {at}번째",
        "none": "찾지 못했습니다",
        "previous": "이전 결과",
        "next": "다음 결과",
        "depths": "모듈을 펼칠 깊이",
        "closeAll": "모듈 접기",
        "openTo": "깊이 {n}까지 펼치기",
        "openAll": "모두 펼치기",
        "colours": "기울기",
        "coloursHint": "간선을 따라 되돌아간 기울기의 크기로 색칠합니다",
        "turn": "방향 바꾸기: 왼쪽→오른쪽 또는 위→아래",
        "panel": "정보",
        "panelLabel": "선택한 것에 대한 정보",
        "graphLabel": "상자 {boxes}개로 된 그래프. 화살표 키로 따라가고, Enter로 선택하고, +와 −로 크기를 바꿉니다.",
        "clear": "개요로 돌아가기",
        "inputs": "들어오는 곳",
        "outputs": "나가는 곳",
        "inside": "속한 곳",
        "open": "펼치기",
        "close": "접기",
        "counts": "이 그래프에 있는 것",
        "kinds": "상자의 종류",
        "strength": "간선의 기울기 (노름)",
        "weak": "약함",
        "strong": "강함",
        "zero": "정확히 0",
        "bad": "NaN 또는 무한대",
        "keys": "키보드",
        "keysArrows": "그래프를 따라 이동",
        "keysEnter": "선택, 모듈 펼치기/접기",
        "keysScale": "확대/축소, 0은 전체 보기",
        "keysSearch": "검색, Enter 다음, Shift+Enter 이전",
        "keysEscape": "선택 해제",
        "line": "줄",
        "times": "{n}번 사용",
        "gradient": "기울기 노름",
        "selected": "{what} 선택됨. 앞에 {before}개, 뒤에 {after}개.",
        "mark-view": "뷰: 메모리를 공유",
        "mark-inplace": "제자리 쓰기",
        "mark-backward": "역전파에서 기록됨",
        "mark-stopped": "기울기가 여기서 멈춤",
        "fact-": "",
        "fact-operation": "연산",
        "fact-shape": "모양",
        "fact-dtype": "자료형",
        "fact-value": "값",
        "fact-data": "값",
        "fact-grad": "기울기",
        "fact-‖grad‖": "‖기울기‖",
        "fact-‖gradient‖": "‖기울기‖",
        "fact-module": "모듈",
        "fact-line": "줄",
        "fact-saves": "저장",
        "fact-attribute": "속성",
        "operations": "연산",
        "leaves": "리프",
        "modules": "모듈",
        "boxes": "상자",
        "edges": "간선",
    },
}


def drawing_page(graph: Graph, title="Computation graph") -> Page:
    """The page of a `Graph`; what is in `graph.closed` is closed at first."""
    html = page(
        title,
        body=BODY,
        scripts=(*GRAPH, "hovercard.js", "search.js", "panel.js", "drawing.js"),
        styles=("graph.css", "drawing.css"),
        data={**graph_data(graph), "note": graph.note},
        words=WORDS,
    )
    least, greatest = HEIGHTS
    return Page(html, title, min(greatest, least + 8 * len(graph.boxes)))


def graph_data(graph: Graph) -> dict:
    """A `Graph` as `mg.GraphView` takes it."""
    inside: dict[str, list] = {key: [] for key in graph.groups}
    for box in graph.boxes.values():
        for key in graph.around(box.group):
            inside[key].append(box)
    groups = []
    for key, group in graph.groups.items():
        closed = module_box(graph, key, inside[key])
        shown = {"rows": closed.rows, "tip": closed.tip, "facts": closed.facts, "marks": closed.marks}
        groups.append({**_plain(group), "open": key not in graph.closed, "closed": shown})
    data = {
        "direction": graph.direction,
        "boxes": [_plain(box) for box in graph.boxes.values()],
        "groups": groups,
        "edges": [_plain(edge) for edge in graph.edges],
    }
    return {**data, "flow": graph.flow} if graph.flow else data


def _plain(item) -> dict:
    """The fields of a box, group or edge that say something: those at their defaults are left out."""
    found = {}
    for field in fields(item):
        value = getattr(item, field.name)
        usual = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != usual:
            found[field.name] = str(value) if isinstance(value, float) and not math.isfinite(value) else value
    return found
