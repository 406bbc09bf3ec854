"""Sphinx extension: formulas as MathML, which browsers show by themselves, without scripts, fonts or a network.

docutils, on which Sphinx is built, translates TeX; this only calls it, and knows the few commands that it lacks. What
neither knows is a warning, and so stops `make docs`.
"""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

ALIASES = {"dots": "ldots", "dotsc": "ldots", "big": "bigl", "Big": "Bigl", "bigg": "biggl", "Bigg": "Biggl"}

THIN = '<mspace width="0.167em"/>'

logger = logging.getLogger(__name__)


def to_mathml(tex, *, block=False):
    r"""Return TeX as MathML. Paragraphs are lines of their own; lines that ``\\`` divides are aligned at ``&``."""
    lines = r" \\ ".join(part.strip() for part in tex.split("\n\n") if part.strip())
    known = re.sub(r"\\([A-Za-z]+)", lambda found: "\\" + ALIASES.get(found[1], found[1]), lines)
    out = re.sub(r">\s+<", "><", tex2mathml(known, as_block=block))
    out = out.replace('<mo stretchy="false">/', '<mo lspace="0" rspace="0" stretchy="false">/')  # 1/n, not 1 / n
    out = re.sub(r"(</m(?:i|n|sub|sup|subsup)>)(<mi>\w+</mi><mo>&Apply)", rf"\1{THIN}\2", out)  # o tanh c, not otanhc
    return re.sub(r"<mo>&ApplyFunction;</mo>(?!<mo [^>]*>\()", THIN, out)


def _translate(node, *, block):
    try:
        return to_mathml(node.astext(), block=block)
    except MathError as error:
        logger.warning("docutils cannot translate this formula: %s\n%s", error, node.astext(), location=node)
        return ""


def visit_inline(self, node):
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate"))
    self.body.append(_translate(node, block=False) + "</span>")
    raise nodes.SkipNode


def visit_block(self, node):
    self.body.append(self.starttag(node, "div", "", CLASS="math notranslate"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(_translate(node, block=True) + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
