"""Parts of the SVG pictures of benchmarks, light or dark as the reader's page is."""

import math
from collections.abc import Sequence
from html import escape

_STYLE = """
.text{fill:#24292f;font:12px system-ui,sans-serif}.title{font-weight:600;font-size:13px}
.head{font-weight:600;font-size:17px}.soft{fill:#57606a;font-size:11px}
.axis{stroke:#8c959f;stroke-width:1}
@media (prefers-color-scheme:dark){.text{fill:#e6edf3}.soft{fill:#9da7b1}.axis{stroke:#6e7681}}
"""


def document(width: float, height: float, title: str, style: str, parts: Sequence[str]) -> str:
    """A whole picture.

    Args:
        width: In pixels, as all lengths here.
        height: Likewise.
        title: For screen readers.
        style: CSS in addition to that of texts and axes.
        parts: The elements.
    """
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}{style.lstrip()}</style>",
            *parts,
            "</svg>",
            "",
        ]
    )


def text(x: float, y: float, content: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text; `kind` is title, head, soft or nothing."""
    return (
        f'<text class="text {kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
    )


def round_steps(top: float) -> list[float]:
    """0, and two to five round numbers up to `top`."""
    magnitude = 10.0 ** math.floor(math.log10(top / 2))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if top / (magnitude * factor) < 5)
    return [step * at for at in range(math.floor(top / step) + 1)]
