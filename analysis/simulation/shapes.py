"""Shapes that particles are cut to: spheres, ellipsoids, facetted bodies, cubes, rods."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.simulation.crystals import Material, Vectors, plane_normals

Inside = Callable[[Vectors], NDArray[np.bool_]]
"""Says of points (N, 3) in nm, crystal frame, middle at the origin, which lie inside."""

LONGEST_ROD_NM = 17.0
LONG_SHAPES = 0.15
"""Share of rods; the rest are compact."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A body in the crystal frame; `reach_nm` is the farthest any of it lies from its middle."""

    name: str
    inside: Inside
    reach_nm: float


def draw_shape(material: Material, radius_nm: float, rng: np.random.Generator) -> Shape:
    """A shape that covers about the area of a disc of this radius."""
    kinds = {"sphere": 0.17, "ellipsoid": 0.25, "facetted": 0.33, "cube": 0.10, "rod": LONG_SHAPES}
    if not material.cubic:
        kinds["facetted"] += kinds.pop("cube")
    kind = str(rng.choice(list(kinds), p=np.array(list(kinds.values())) / sum(kinds.values())))
    if kind == "sphere":
        return _ellipsoid_shape(kind, np.full(3, radius_nm))
    if kind == "ellipsoid":
        ratios = rng.uniform(0.7, 1.35, 3)
        return _ellipsoid_shape(kind, radius_nm * ratios / ratios.prod() ** (1 / 3))
    if kind == "cube":
        return _draw_cube(material, radius_nm, rng)
    if kind == "rod":
        return _draw_rod(radius_nm, rng)
    return _draw_facets(material, radius_nm, rng)


def _ellipsoid_shape(name: str, half_axes_nm: Vectors) -> Shape:
    return Shape(name=name, inside=ellipsoid(half_axes_nm), reach_nm=float(half_axes_nm.max()))


def _draw_facets(material: Material, radius_nm: float, rng: np.random.Generator) -> Shape:
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
    inside = convex_body(facets, np.concatenate(distances) * rng.uniform(0.93, 1.05, len(facets)))
    return Shape(name="facetted", inside=inside, reach_nm=1.45 * radius_nm)


def _draw_cube(material: Material, radius_nm: float, rng: np.random.Generator) -> Shape:
    """A cube or a slightly unequal box of {100} faces, its corners cut by {111}."""
    half_edge_nm = 0.5 * np.sqrt(np.pi) * radius_nm
    cube, corners = plane_normals(material, "100"), plane_normals(material, "111")
    along = np.repeat(rng.uniform(0.85, 1.15, 3), 2) * half_edge_nm
    cut_nm = np.full(len(corners), rng.uniform(1.35, 1.75) * half_edge_nm)
    inside = convex_body(np.concatenate([cube, corners]), np.concatenate([along, cut_nm]))
    return Shape(name="cube", inside=inside, reach_nm=float(np.sqrt(np.sum(along[::2] ** 2))))


def _draw_rod(radius_nm: float, rng: np.random.Generator) -> Shape:
    """A cylinder with round ends along z or across it, 1.5 to 3.5 times as long as thick."""
    aspect = rng.uniform(1.5, 3.5)
    thick_nm = radius_nm / np.sqrt(aspect)
    half_length_nm = min(aspect * thick_nm, LONGEST_ROD_NM / 2)
    axis = np.array([0.0, 0.0, 1.0]) if rng.random() < 0.7 else np.array([1.0, 0.0, 0.0])
    return Shape(
        name="rod",
        inside=spherocylinder(axis, half_length_nm, thick_nm),
        reach_nm=max(half_length_nm, thick_nm),
    )


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


def spherocylinder(axis: Vectors, half_length_nm: float, radius_nm: float) -> Inside:
    """Inside of a cylinder along the unit vector `axis` (3,) whose round ends are included."""
    straight_nm = max(0.0, half_length_nm - radius_nm)

    def inside(positions_nm: Vectors) -> NDArray[np.bool_]:
        along = np.clip(positions_nm @ axis, -straight_nm, straight_nm)
        across = positions_nm - along[:, None] * axis
        return np.asarray(np.sum(across**2, axis=1) <= radius_nm**2)

    return inside
