"""Pictures of micrographs: what is there, what was found, and a scale bar."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from analysis.training.evaluation.cases import Case
from analysis.training.evaluation.methods import BundleMethod, Found, Method
from analysis.training.evaluation.style import (
    FOUND_COLOUR,
    MASK_COLOURS,
    TRUTH_COLOUR,
    new_figure,
    save_png,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE_PX = 220  # of a panel: a whole 20 nm field is shown, so its lattice cannot be
LARGE_PX = 420
PANEL_IN = 2.2
LARGE_PANEL_IN = 4.2
SCALE_BARS_NM = (1, 2, 5, 10, 20, 50, 100)
CONTRAST_PERCENT = (0.5, 99.5)

TRUTH_STYLE: Mapping[str, Any] = {"color": TRUTH_COLOUR, "linewidth": 1.8, "linestyle": "-"}
FOUND_STYLE: Mapping[str, Any] = {"color": FOUND_COLOUR, "linewidth": 1.8, "linestyle": (0, (3, 2))}


def sample_picture(cases: Sequence[Case], methods: Sequence[Method]) -> "Figure":
    """One row a case: the micrograph, the truth, and what each method takes for particle."""
    columns = 2 + len(methods)
    figure = new_figure(PANEL_IN * 0.8 * columns, (PANEL_IN * 0.8 + 0.3) * len(cases))
    grid = figure.subplots(len(cases), columns, squeeze=False)
    for row, case in zip(grid, cases, strict=True):
        show_micrograph(row[0], case, SIDE_PX)
        row[0].set_title(f"{case.material}, {case.pixel_size_nm:.3f} nm/px", fontsize=7)
        masks = [("truth", case.labels)]
        masks += [(method.name, method.find(case).labels) for method in methods]
        for axes, (name, labels) in zip(row[1:], masks, strict=True):
            axes.imshow(_reduced_mask(labels, SIDE_PX), cmap=MASK_COLOURS, interpolation="nearest")
            axes.set_axis_off()
            axes.set_title(name, fontsize=7)
    return figure


def outlined_picture(case: Case, found: Mapping[str, Found], side_px: int = LARGE_PX) -> "Figure":
    """The micrograph alone, and once for each answer with the outlines of truth and answer."""
    figure = new_figure(LARGE_PANEL_IN * (1 + len(found)), LARGE_PANEL_IN + 0.35)
    first, *others = figure.subplots(1, 1 + len(found))
    show_micrograph(first, case, side_px)
    first.set_title(f"{case.name}, {case.material}", fontsize=9)
    for axes, (name, answer) in zip(others, found.items(), strict=True):
        show_micrograph(axes, case, side_px)
        _outlines(axes, case.labels, side_px, TRUTH_STYLE)
        _outlines(axes, answer.labels, side_px, FOUND_STYLE)
        axes.set_title(f"truth (solid) and {name} (dashed)", fontsize=9)
    return figure


def write_overlays(folder: Path, cases: Sequence[Case], methods: Sequence[Method]) -> list[Path]:
    """One picture for each case, with every bundle at its own scale; the paths written.

    Raises:
        OSError: the folder cannot be written to.
    """
    shown = [each for each in methods if isinstance(each, BundleMethod) and each.scale_nm is None]
    paths = []
    with styled():
        for case in cases:
            path = folder / f"{slug(Path(case.name).stem)}.png"
            found = {method.name: method.find(case) for method in shown}
            save_png(outlined_picture(case, found), path)
            paths.append(path)
    return paths


def slug(name: str) -> str:
    """The name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()


def show_micrograph(axes: "Axes", case: Case, side_px: int) -> None:
    """The micrograph in greys, 1 % of its pixels clipped, with a scale bar."""
    image = _reduced(np.asarray(case.micrograph.image, np.float32), side_px)
    low, high = np.percentile(image, CONTRAST_PERCENT)
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
    axes.set_axis_off()
    _scale_bar(axes, case, image.shape)


def _scale_bar(axes: "Axes", case: Case, shape_px: tuple[int, ...]) -> None:
    width_nm = case.labels.shape[1] * case.pixel_size_nm
    length_nm = max((nm for nm in SCALE_BARS_NM if nm <= width_nm / 3), default=SCALE_BARS_NM[0])
    length_px = length_nm / width_nm * shape_px[1]
    x, y = 0.05 * shape_px[1], 0.94 * shape_px[0]
    axes.plot([x, x + length_px], [y, y], color="black", linewidth=4, solid_capstyle="butt")
    axes.plot([x, x + length_px], [y, y], color="white", linewidth=2, solid_capstyle="butt")
    axes.text(
        x + length_px / 2,
        y - 0.03 * shape_px[0],
        f"{length_nm} nm",
        ha="center",
        va="bottom",
        fontsize=7,
        color="black",
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
    )


def _outlines(
    axes: "Axes", labels: NDArray[np.integer], side_px: int, style: Mapping[str, Any]
) -> None:
    """The outline of every region, between its pixels and those around."""
    from skimage.measure import find_contours

    factor = _factor(labels.shape, side_px)
    for label in np.unique(labels[labels > 0]):
        inside = np.pad((labels == label).astype(np.float32), 1)
        for contour in find_contours(inside, 0.5):  # type: ignore[no-untyped-call]
            y, x = (contour - 0.5).T * factor - 0.5
            axes.plot(x, y, color="black", linewidth=style["linewidth"] + 1)
            axes.plot(x, y, **style)
    rows, columns = (round(side * factor) for side in labels.shape)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)


def _reduced(image: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    factor = _factor(image.shape, side_px)
    rows, columns = (max(1, round(side * factor)) for side in image.shape)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method), np.float32)


def _reduced_mask(labels: NDArray[np.integer], side_px: int) -> NDArray[np.bool_]:
    return _reduced((labels != 0).astype(np.float32), side_px) >= 0.5


def _factor(shape: tuple[int, ...], side_px: int) -> float:
    """By which the longer side becomes `side_px`."""
    return side_px / max(shape)
