"""minigrad's docstrings, which are plain text, as reStructuredText.

What they are made of: paragraphs; ``code`` and `names`; formulas and programs, indented; examples after >>>; lists with
"- "; parts such as ``Args:`` with a hanging line for each name; and tables of two columns, as in `minigrad.viz`:

    x          a Tensor
    params     names, in the forms that ...

Needs nothing but Python, so that tests can ask it too.
"""

from __future__ import annotations

import ast
import re
import textwrap

PARTS = re.compile(
    r"^(Args|Arguments|Attributes|Buffers|Expected result|Properties|Raises|Returns|Shape|Yields|State):(?: (\S.*))?$"
)
CODE = re.compile(r"``(?P<code>[^`]+(?:`[^`]+)*)``|`(?P<name>[^`\n]+)`|(?P<url>https?://[^\s)>,]+[^\s)>,.;])")
TABLE = re.compile(r"^(\S(?:.*?[^\s.:;?!])?) {2,}(\S.*)$")
ENUMERATED = re.compile(r"^(\w{1,3}|#)[.)]( |$)")
ENTRY = re.compile(r"^(?P<name>[\w*][^:]*?)(?P<kind> \([^()]*(?:\([^()]*\)[^()]*)*\))?: (?P<text>.*)$")
PROGRAM = re.compile(r"^(from [\w.]+ import |import \w|def \w+\(|class \w+[(:]|for .* in .*:$|with .*:$)", re.MULTILINE)
SPECIAL = re.compile(r"([\\*|_`])")


def inline(text, link=None):
    """A piece of running text: `names` become what ``link(name)`` gives for them, or code; the rest is escaped."""
    done, at = [], 0
    for match in CODE.finditer(text):
        done.append(escaped(text[at : match.start()]))
        if match["url"]:
            piece = match[0]
        else:
            words = (match["code"] or match["name"]).strip()
            piece = (link(words) if link and match["name"] else None) or literal(words)
        before = text[match.start() - 1 : match.start()]
        done.append(("\\ " if before and not before.isspace() and before not in "([{<-/'\":" else "") + piece)
        after = text[match.end() : match.end() + 1]
        if after and not after.isspace() and after not in ")]}>-/'\":.,;!?":
            done.append("\\ ")
        at = match.end()
    whole = "".join([*done, escaped(text[at:])])
    return f"\\{whole}" if ENUMERATED.match(whole) else whole  # "0." begins no list


def literal(words):
    """Words as code; reST has no way to write some, so that these are set as plain text."""
    if words.startswith(" ") or words.endswith("\\") or "`" in words:
        return escaped(words)
    return f"``{words}``"


def escaped(text):
    """Text without the signs of reST."""
    return SPECIAL.sub(r"\\\1", text)


def indented(line):
    return line.startswith(" ")


def to_rst(text, link=None):
    """The lines of a docstring (as `inspect.cleandoc` gives it) as reST."""
    lines, made = text.expandtabs().splitlines(), []
    while lines:
        if not lines[0].strip():
            made.append(lines.pop(0).strip())
            continue
        if indented(lines[0]):  # by itself: a formula or a program
            block, lines = taken(lines, lambda line: indented(line) or not line.strip())
            made += code(block)
            continue
        part = PARTS.match(lines[0])
        if part:
            lines.pop(0)
            block, lines = taken(lines, lambda line: indented(line) or not line.strip())
            made += whole_part(part[1], part[2], block, link)
            continue
        block, lines = taken(lines, lambda line: bool(line.strip()))
        cut = next((i for i, line in enumerate(block) if i and PARTS.match(line)), None)
        if cut:
            block, lines = block[:cut], block[cut:] + lines
        made += paragraph(block, link)
    return made


def taken(lines, wanted):
    """(the lines up to the first that is not wanted, the rest)."""
    count = next((i for i, line in enumerate(lines) if not wanted(line)), len(lines))
    return lines[:count], lines[count:]


def code(block, language="text"):
    """A literal block."""
    body = textwrap.dedent("\n".join(block)).strip("\n")
    if body.startswith(">>> "):
        language = "pycon"
    elif is_python(body):
        language = "python"
    return ["", f".. code-block:: {language}", "", *(f"   {line}".rstrip() for line in body.splitlines()), ""]


def is_python(text):
    """Whether it is a program, not a formula or a sketch."""
    try:
        ast.parse(text)
    except SyntaxError:
        return PROGRAM.search(text) is not None
    return True


def paragraph(block, link):
    """Lines without a gap: an example, a list, a table, or running text, maybe with a formula below."""
    block = [line for line in block if line.strip("= ")]  # the frame of a table
    if not block:
        return []
    if block[0].startswith(">>> "):
        return code(block)
    if block[0] == "::":
        return []  # what follows is indented, and so code anyway
    if re.match(r"[-*] ", block[0]):
        return ["", *entries(block, lambda text: "- " + inline(text[2:], link), "  "), ""]
    if TABLE.match(block[0]):
        return definitions(block, link)
    text, formula = taken(block, lambda line: not indented(line) or line.lstrip()[:1] not in "→=")
    last = text[-1]
    if last.endswith("::"):
        text[-1] = last[:-1]
    flush = [inline(" ".join(line.strip() for line in text), link)]
    return flush + (code(formula) if formula else [])


def entries(block, first, hanging):
    """Lines that begin at the left, each with the indented ones after it, as one line of reST each."""
    made = []
    for line in block:
        if indented(line) and made:
            made[-1] += " " + line.strip()
        else:
            made.append(line)
    return [first(line) for line in made]


def definitions(block, link):
    """A table of two columns as a definition list."""
    made = [""]
    for line in entries(block, str, ""):
        match = TABLE.match(line)
        if match is None:
            made += [inline(line, link), ""]
            continue
        made += [names_as_code(match[1], link), "   " + inline(match[2], link), ""]
    return made


def names_as_code(text, link=None):
    """The left side of an entry: names as code, unless it is marked already."""
    if "`" in text:
        return inline(text, link)
    return ", ".join(literal(name.strip()) if re.match(r"[\w*.\"']", name.strip()) else escaped(name)
                     for name in re.split(r", (?![^(]*\))", text) if name.strip())  # fmt: skip


def whole_part(title, beside, block, link):
    """``Args:`` and its like: a heading, and its entries."""
    made = ["", f".. rubric:: {title}", ""]
    body = textwrap.dedent("\n".join(block)).strip("\n").splitlines()
    if beside:
        body = [beside, *(line.strip() for line in body)]
    if not body:
        return made
    plain = title in ("Returns", "Yields", "Shape", "Expected result") or beside
    for chunk in blocks(body):
        if indented(chunk[0]) or chunk[0].startswith(">>> "):
            made += code(chunk)
            continue
        for line in entries(chunk, str, ""):
            match = None if plain else ENTRY.match(line)
            if match is None:
                made += [inline(line, link), ""]
            else:
                kind = f" *{escaped(match['kind'].strip()[1:-1])}*" if match["kind"] else ""
                made += [names_as_code(match["name"], link) + kind, "   " + inline(match["text"], link), ""]
    return made


def blocks(lines):
    """Lines in groups without a gap."""
    group = []
    for line in [*lines, ""]:
        if line.strip():
            group.append(line)
        elif group:
            yield group
            group = []


HEAD = re.compile(r"^(?:\w+\.)*(?P<name>\w+)\(")


def head(text, short):
    """([(arguments, result)], the rest) of a docstring that begins with its signatures; ([], text) of another.

    "max(input) -> Tensor;  max(input, dim) -> (values, indices)" has two.
    """
    found, rest = [], text
    while (match := HEAD.match(rest)) and match["name"] in (short, short.rstrip("_"), short.partition("_")[2]):
        end = closing(rest, match.end() - 1)
        if end is None:
            break
        arguments, after = rest[match.end() : end], rest[end + 1 :]
        arrow = re.match(r"\s*->\s*", after)
        result = ""
        if arrow:
            result, after = result_of(after[arrow.end() :])
        elif not re.match(r"\s*(;|:|\.\s|\n|$)", after):
            break  # running text that begins with a call
        found.append((" ".join(arguments.split()), " ".join(result.split())))
        more = re.match(r"\s*;\s*(?:or )?", after)
        rest = after[more.end() :] if more else re.sub(r"^\s*[:.]?\s*", "", after)
        if not more:
            break
    return (found, sentence(rest)) if found else ([], text)


def result_of(text):
    """(what a call gives, the text after it): up to a full stop, a colon, a semicolon or the end of the paragraph."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign in "([") - (sign in ")]")
        if depth == 0 and (text[i : i + 2] in (". ", ".\n", ": ", ":\n") or sign == ";" or text[i : i + 2] == "\n\n"):
            return text[:i], text[i:]
    return text, ""


def closing(text, start):
    """Where the bracket that opens at `start` is closed."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return None


def sentence(text):
    """Dedented, what followed on a signature's line first, with a capital."""
    first, _, rest = text.partition("\n")
    body = first.strip() + "\n" + textwrap.dedent(rest)
    body = body.strip("\n")
    return body[:1].upper() + body[1:] if re.match(r"[a-z]+ ", body) else body


def first_sentence(text, short=""):
    """The first sentence of a docstring, as text."""
    _, rest = head(text, short)
    words = " ".join(rest.split("\n\n")[0].split())
    match = re.search(r"(?<![ .]\w)(?<!i\.e)(?<!e\.g)\.(?= |$)", words)
    return words[: match.end()] if match else words
