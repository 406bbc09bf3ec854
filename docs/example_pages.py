"""The gallery: every script of examples/ as a page of its own, for sphinx-gallery (`make docs`).

Pages show the script; only the scripts of `RUN` are run while the documentation is built, the others take minutes.
"""

import ast
import re
from pathlib import Path

from lesson_pages import update

RUN = {"s1_directional_derivatives"}  # seconds each

THUMBNAILS = {
    "s2_dense_gan": "mixture1d.gif",
    "s3_virtual_data": "mnist.png",
    "s4_training_strategies": "ring.gif",
    "sensitivity_map": "grid.png",
    "vae_and_autoencoder": "mnist.png",
}

# The text of a page is not its script's docstring to sphinx-gallery, and scripts ask for that when they are run.
HIDDEN = "# sphinx_gallery_start_ignore\n__doc__ = {0!r}\n# sphinx_gallery_end_ignore\n"

HEADER = """
Gallery
=======

Pictures
--------

Results of this code, each from the seed 0, made on two cores without a GPU. ``docs/make_pictures.py`` makes them.

.. container:: pictures

{pictures}

Examples
--------

Complete scripts in the folder ``examples``, to run, to read and to change.
"""

PICTURES = {
    "mixture1d.gif": (
        "``minigan train mixture1d``",
        "Densities of real and generated samples, and D(x), over training",
    ),
    "ring.gif": ("``minigan train ring``", "Generated points find the eight modes of a ring"),
    "grid.png": ("``minigan train grid``", "Generated points on all of twenty-five modes"),
    "mnist.png": ("``minigan train mnist-dense``: a dense GAN, three minutes", "Generated digits"),
    "wrong_gradient.png": (
        "``check_gradients(f, w, grad=claimed).plot()``: one class has the wrong sign",
        "Claimed against numerical derivatives; those of one class lie off the diagonal",
    ),
    "graph.png": ("``mg.draw(loss)``: what reverse mode will walk", "The recorded graph of a discriminator's loss"),
}


def header(docs):
    """Return the text above the thumbnails, with those pictures that are there."""
    there = {name: words for name, words in PICTURES.items() if (docs / "images" / name).exists()}
    figures = [
        f"   .. figure:: ../images/{name}\n      :alt: {alt}\n\n      {caption}\n"
        for name, (caption, alt) in there.items()
    ]
    return HEADER.format(pictures="\n".join(figures)).lstrip()


def page(path):
    """Return a script with its first docstring as the head of a page: the first sentence is the title."""
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    text = ast.get_docstring(tree) or path.stem
    title, rest = re.match(r"(.+?[.?!])(?=\s|$)(.*)", text, re.S).groups()
    title = " ".join(title.split()).removesuffix(".")
    body = re.sub(r"^(?! {4}).*$", lambda line: line[0].replace("|", r"\|"), rest.strip(), flags=re.M)
    body = re.sub(r"\n\n(?= {4})", "\n\n::\n\n", body)  # indented: a command to type
    settings = f'sphinx_gallery_thumbnail_path = "images/{THUMBNAILS[path.stem]}"' if path.stem in THUMBNAILS else ""
    code = "\n".join(source.splitlines()[tree.body[0].end_lineno :]).strip("\n")
    head = f'r"""\n{title}\n{"=" * len(title)}\n\n{body}\n"""\n\n'
    return head + (f"# {settings}\n\n" if settings else "") + HIDDEN.format(title) + code + "\n"


def write_sources(docs):
    """Write the scripts that sphinx-gallery reads; what did not change is left alone."""
    target = docs / "_examples"
    target.mkdir(exist_ok=True)
    texts = {target / path.name: page(path) for path in sorted(Path(docs, "..", "examples").glob("*.py"))}
    pages = [path for path in docs.glob("gallery/*.rst") if path.stem != "index"]
    update(texts | {target / "GALLERY_HEADER.rst": header(docs)}, [*target.glob("*.py"), *pages])
