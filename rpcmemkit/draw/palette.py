"""The colours of the pictures, each by the name of what it stands for, in light and in dark.

Every light colour occurs once: the SVG finds the name again by it and adds the dark one.
"""

from __future__ import annotations

COLORS: dict[str, tuple[str, str]] = {
    "page": ("#fdfdfe", "#11161c"),
    "ink": ("#17202a", "#e8edf3"),
    "soft": ("#4d5a69", "#aab6c4"),
    "faint": ("#64707e", "#97a4b3"),
    "client": ("#eef4fb", "#18222e"),
    "wire": ("#f5f4f0", "#1c1e21"),
    "server": ("#eff7f0", "#18251e"),
    "rim": ("#c8d2de", "#3a4654"),
    "now": ("#2f6fb7", "#7fb4ee"),
    "box": ("#fffffe", "#202833"),
    "edge": ("#7d8c9d", "#66768a"),
    "variable": ("#dde4ec", "#3a4655"),
    "application": ("#c9e0fa", "#1e4770"),
    "stub": ("#ffe0ad", "#634511"),
    "routine": ("#e2d3f7", "#4b3372"),
    "buffer": ("#c8e9da", "#1f5341"),
    "frame": ("#e2e2dd", "#44443e"),
    "rpcss": ("#fbd0e0", "#6d2745"),
    "earlier": ("#f5d9c0", "#5f3d22"),
    "task": ("#f3e1a6", "#5b4a12"),
    "malloc": ("#d7ead0", "#33502a"),
    "private": ("#f4dccf", "#653e2a"),
    "global": ("#e8e8bb", "#51511c"),
    "part": ("#ecf1f5", "#2a3441"),
    "loud": ("#a81916", "#ffaba4"),
    "alarm": ("#fddeda", "#641f1c"),
    "calm": ("#0a5a3c", "#8fe3bb"),
    "glad": ("#d3f1e0", "#17492f"),
    "pointer": ("#24589c", "#8fbdf3"),
    "flow": ("#5b6a7c", "#93a4b7"),
    "changed": ("#fff3bf", "#514713"),
    "bytes-value": ("#fffefd", "#212933"),
    "bytes-pointer": ("#dfeafa", "#1f344f"),
    "bytes-count": ("#ece3f6", "#382c50"),
    "bytes-gap": ("#efefec", "#262a2f"),
}


STROKES = frozenset({"page", "rim", "now", "edge", "loud", "pointer", "flow"})
"""The colours that lines are drawn in."""


def light(name: str) -> str:
    """Return the colour as it is drawn."""
    return COLORS[name][0]


FACES = {
    "h": "Helvetica,Arial,Liberation Sans,sans-serif",
    "m": "Consolas,Menlo,DejaVu Sans Mono,Liberation Mono,monospace",
}
"""The two typefaces, by the class that stands for them."""


def style(root: str) -> str:
    """Return the CSS that gives a picture its colours in both modes, and its room.

    Every colour is told twice: a browser that does not know ``light-dark`` keeps the light one.
    """
    rules = [
        f"{root}{{color-scheme:light dark;display:block;width:100%;height:auto}}",
        f"html[data-theme=light] {root},body[data-jp-theme-light=true] {root}{{color-scheme:light}}",
        f"html[data-theme=dark] {root},body[data-jp-theme-light=false] {root}{{color-scheme:dark}}",
        f"@media print{{html {root}{{color-scheme:light}}}}",
        f"{root} .node{{shape-rendering:crispEdges}}",
    ]
    rules += [
        f"{root}-step{{display:grid;grid-template-columns:minmax(0,1fr);line-height:1.45;white-space:normal}}",
        f"{root}-step p,{root}-step ul{{margin:0 0 .4em}}",
        f".widget-html:has({root}-step),.widget-html-content:has({root}-step){{min-width:0;width:100%}}",
    ]
    rules += [f"{root} .{name}{{font-family:{faces}}}" for name, faces in FACES.items()]
    for name, (bright, dark) in COLORS.items():
        value = f"light-dark({bright},{dark})"
        rules.append(f"{root} .f-{name}{{fill:{bright};fill:{value}}}")
        if name in STROKES:
            rules.append(f"{root} .s-{name}{{stroke:{bright};stroke:{value}}}")
    return "".join(rules)
