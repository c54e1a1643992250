# SPDX-License-Identifier: Apache-2.0
"""One table, for a terminal and for a document; and a text between the markers of a document."""

import rich.box
import rich.table
import rich.text


def table(name, headings, rows):
    """For a terminal."""
    result = rich.table.Table(title=name, box=rich.box.SIMPLE_HEAD, padding=(0, 0, 0, 1),
                              pad_edge=False)
    for number, heading in enumerate(headings):
        result.add_column(heading, justify="right" if number else "left", no_wrap=True)
    for cells in rows:
        result.add_row(*cells)
    return result


def markdown(name, headings, rows):
    """For a document."""
    def line(cells):
        padded = [*cells, *[""] * (len(headings) - len(cells))]
        text = " | ".join(rich.text.Text.from_markup(cell).plain for cell in padded)
        return f"| {text} |".replace("\n", "<br>")
    rule = "| --- |" + " ---: |" * (len(headings) - 1)
    return "\n".join([f"**{name}**", "", line(headings), rule, *map(line, rows), ""])


def between_markers(text, name, new):
    """`text` with what stands between the markers of that name replaced."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"no markers {begin} and {end}")
    return f"{before}{begin}\n{new.strip()}\n{end}{after}"
