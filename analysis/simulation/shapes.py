"""Shapes that particles are cut to: spheres, ellipsoids, facetted bodies of low-index planes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.crystals import Material, Vectors, plane_normals

Inside = Callable[[Vectors], NDArray[np.bool_]]
"""Says of points (N, 3) in nm, crystal frame, middle at the origin, which lie inside."""


def draw_shape(
    material: Material, radius_nm: float, rng: np.random.Generator
) -> tuple[str, Inside]:
    """Name and inside of a shape of about this radius: half of them facetted, a fifth spheres."""
    kind = str(rng.choice(["sphere", "ellipsoid", "facetted"], p=[0.2, 0.3, 0.5]))
    if kind == "sphere":
        return kind, ellipsoid(np.full(3, radius_nm))
    if kind == "ellipsoid":
        ratios = rng.uniform(0.75, 1.25, 3)
        return kind, ellipsoid(radius_nm * ratios / ratios.prod() ** (1 / 3))
    return kind, _draw_facets(material, radius_nm, rng)


def _draw_facets(material: Material, radius_nm: float, rng: np.random.Generator) -> Inside:
    """Truncated octahedron or hexagonal prism, each facet a little nearer or farther."""
    families = (
        {"111": 0.90, "100": 1.02}
        if material.cubic
        else {"prism": 0.92, "basal": 1.0, "pyramid": 1.0}
    )
    normals = [plane_normals(material, family) for family in families]
    distances = [
        np.full(len(n), radius_nm * factor * rng.uniform(0.9, 1.1))
        for n, factor in zip(normals, families.values(), strict=True)
    ]
    facets = np.concatenate(normals)
    return convex_body(facets, np.concatenate(distances) * rng.uniform(0.93, 1.05, len(facets)))


def ellipsoid(half_axes_nm: Vectors) -> Inside:
    """Inside of an ellipsoid with half axes (3,) along x, y, z of the crystal."""

    def inside(positions_nm: Vectors) -> NDArray[np.bool_]:
        return np.asarray(np.sum((positions_nm / half_axes_nm) ** 2, axis=1) <= 1)

    return inside


def convex_body(normals: Vectors, distances_nm: Vectors) -> Inside:
    """Inside of planes with unit normals (N, 3) at distances (N,) from the middle."""

    def inside(positions_nm: Vectors) -> NDArray[np.bool_]:
        return np.asarray((positions_nm @ normals.T <= distances_nm).all(axis=1))

    return inside
