"""The columns of a particle's features, and their units.

How each is computed is said where it is computed; `feature_set_version` of the pipeline says by
which definition. NULL: not of that feature set, or unknown, as all but intensity, outline and
junctions are without a pixel size.
"""

from sqlalchemy.orm import Mapped, MappedColumn, mapped_column


def _feature() -> MappedColumn[float | None]:
    """A column behind those of the particle itself."""
    return mapped_column(sort_order=1)


class FeatureColumns:
    """Mixed into the table of particles."""

    # Radial Fourier profile and real space; σ is the deviation of the field's background.
    fourier_mean: Mapped[float | None] = _feature()  # σ²·nm²
    fourier_std: Mapped[float | None] = _feature()  # σ²·nm²
    fourier_centroid_per_nm: Mapped[float | None] = _feature()  # nm⁻¹
    intensity_mean: Mapped[float | None] = _feature()  # σ
    intensity_std: Mapped[float | None] = _feature()  # σ

    # The paper's five, of the bounding box in pixels and counts; only of its feature set.
    published_fourier_mean: Mapped[float | None] = _feature()  # counts
    published_fourier_std: Mapped[float | None] = _feature()  # counts
    published_fourier_centroid_px: Mapped[float | None] = _feature()  # pixels of the transform
    published_intensity_mean: Mapped[float | None] = _feature()  # counts
    published_intensity_std: Mapped[float | None] = _feature()  # counts

    # Reflections: maxima of the power spectrum over the ring of noise they lie on.
    reflection_count: Mapped[float | None] = _feature()  # number, at most 12
    reflection_directions: Mapped[float | None] = _feature()  # number, over 12° apart
    reflection_strength: Mapped[float | None] = _feature()  # times its ring
    second_direction_strength: Mapped[float | None] = _feature()  # times its ring
    third_direction_strength: Mapped[float | None] = _feature()  # times its ring
    bragg_power: Mapped[float | None] = _feature()  # σ²
    bragg_fraction: Mapped[float | None] = _feature()  # share
    reflection_elongation: Mapped[float | None] = _feature()  # ratio, 1 is round
    reflection_width: Mapped[float | None] = (
        _feature()
    )  # widths of the region's own reflection, about 1/diameter
    reflection_sharpness: Mapped[float | None] = _feature()  # ratio, about 1 for a whole crystal
    streak_contrast: Mapped[float | None] = _feature()  # ratio
    streak_along_reflection: Mapped[float | None] = _feature()  # ratio
    unindexed_fraction: Mapped[float | None] = _feature()  # share

    # Phase of the lattice inside the region, and the straight line where it steps most.
    phase_step_mean_rad: Mapped[float | None] = _feature()  # rad over 0.3 nm
    phase_step_98_rad: Mapped[float | None] = _feature()  # rad over 0.3 nm
    amplitude_spread: Mapped[float | None] = _feature()  # deviation over mean
    lattice_cover: Mapped[float | None] = _feature()  # share of the region
    reflection_cover: Mapped[float | None] = _feature()  # share of the region
    split_gain: Mapped[float | None] = _feature()  # times the noise
    split_phase: Mapped[float | None] = _feature()  # 0 to 1, 0.75 for steps of 120°
    split_third: Mapped[float | None] = _feature()  # −1 to 1, 1 for steps of 0 and 120°
    split_step_rad: Mapped[float | None] = _feature()  # rad, 0 to π
    split_contrast: Mapped[float | None] = _feature()  # ratio
    split_misfit: Mapped[float | None] = _feature()  # times the noise
    domain_asymmetry: Mapped[float | None] = _feature()  # 0 to 1

    # Local power in units of an amorphous region's; with and without the reflections.
    crystallinity_mean: Mapped[float | None] = _feature()  # 1 is amorphous
    crystallinity_low: Mapped[float | None] = _feature()  # 5th percentile
    disorder_mean: Mapped[float | None] = _feature()  # 1 is amorphous
    disorder_high: Mapped[float | None] = _feature()  # 95th percentile
    disorder_contrast: Mapped[float | None] = _feature()  # ratio
    disorder_extent: Mapped[float | None] = _feature()  # of the diameter
    disorder_share: Mapped[float | None] = _feature()  # disorder over crystallinity
    halves_likeness_min: Mapped[float | None] = _feature()  # correlation
    halves_likeness_mean: Mapped[float | None] = _feature()  # correlation
    halves_likeness_max: Mapped[float | None] = _feature()  # correlation

    # Outline, without unit; known without a pixel size too.
    dent_depth: Mapped[float | None] = _feature()  # of the diameter
    inscribed_ratio: Mapped[float | None] = _feature()  # of the diameter
    hull_excess: Mapped[float | None] = _feature()  # of the area

    # Slow part of the intensity.
    shade_low: Mapped[float | None] = _feature()  # σ, from the median
    shade_high: Mapped[float | None] = _feature()  # σ, from the median
    shade_std: Mapped[float | None] = _feature()  # σ
    shade_with_depth: Mapped[float | None] = _feature()  # correlation
    shade_rest: Mapped[float | None] = _feature()  # σ
    shade_gap: Mapped[float | None] = _feature()  # σ

    # What the network says of two particles that meet in one region; known without a pixel size.
    overlap_mean: Mapped[float | None] = _feature()  # probability
    overlap_high: Mapped[float | None] = _feature()  # probability, 95th percentile
    seam_mean: Mapped[float | None] = _feature()  # probability
    seam_high: Mapped[float | None] = _feature()  # probability, 95th percentile


FEATURE_COLUMNS = tuple(FeatureColumns.__annotations__)
