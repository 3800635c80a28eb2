-- The read-only views for people and notebooks.
--
-- They are dropped and made anew after every migration, so they follow the tables of this release.
-- The first columns, in this order, are a contract; more may be added behind them.
-- Statements end with a semicolon at the end of a line.

DROP VIEW IF EXISTS current_particle;

DROP VIEW IF EXISTS current_micrograph;

-- One row per file and image, of the newest revision of every file. A file without an image yet,
-- or refused, has one row whose micrograph_id is NULL. Copies of one image are all listed and
-- show the one result they share; duplicate_of names the first of them.
-- acquired_at ends with Z where the file gives a zone; else it is the clock of the microscope.
CREATE VIEW current_micrograph AS
SELECT
    image.id AS micrograph_id,
    source_file.path AS path,
    image.signal_index AS signal_index,
    image.frame_index AS frame_index,
    image.field_of_view_id AS field_of_view_id,
    session.name AS session,
    session.sample AS sample,
    session.run AS run,
    coalesce(image.acquired_at_utc, image.acquired_local) AS acquired_at,
    source_file.state AS state,
    image.width_px AS width_px,
    image.height_px AS height_px,
    image.pixel_size_nm AS pixel_size_nm,
    image.pixel_size_source AS pixel_size_source,
    analysis.mask_path AS mask_path,
    bundle.name AS bundle,
    analysis.id AS analysis_id,
    pipeline.fingerprint AS pipeline_fingerprint,
    analysis_summary.particle_count AS particle_count,
    image.imaging_mode AS imaging_mode,
    analysis.in_domain AS in_domain,
    analysis.domain_reason AS domain_reason,
    CASE WHEN image.id IS NULL THEN source_file.suspect ELSE image.suspect END AS suspect,
    source_file.error_code AS error_code,
    source_file.error_message AS error_message,
    source_file.id AS source_file_id,
    source_file.revision AS revision,
    source_file.present AS present,
    session.uuid AS session_uuid,
    image.frame_count AS frame_count,
    image.is_sum AS is_sum,
    image.signal_title AS signal_title,
    image.acquired_at_utc AS acquired_at_utc,
    image.acquired_local AS acquired_local,
    image.tz_source AS tz_source,
    image.pixel_sha256 AS pixel_sha256,
    (
        SELECT min(twin.id)
        FROM image AS twin
        JOIN source_file AS twin_file ON twin_file.id = twin.source_file_id
        WHERE twin.image_key = image.image_key
            AND twin.id < image.id
            AND twin_file.state <> 'superseded'
    ) AS duplicate_of,
    analysis.segmented AS segmented,
    analysis.forced AS forced,
    analysis.scale_assumed AS scale_assumed,
    analysis.size_limit_nm AS size_limit_nm,
    analysis.analysed_at_utc AS analysed_at_utc,
    analysis.natural_key AS natural_key,
    bundle.version AS bundle_version
FROM source_file
LEFT JOIN session ON session.id = source_file.session_id
LEFT JOIN image ON image.source_file_id = source_file.id
LEFT JOIN analysis ON analysis.image_key = image.image_key AND analysis.is_current = 1
LEFT JOIN analysis_summary ON analysis_summary.analysis_id = analysis.id
LEFT JOIN pipeline ON pipeline.id = analysis.pipeline_id
LEFT JOIN bundle ON bundle.id = pipeline.bundle_id
WHERE source_file.state <> 'superseded';

-- Every particle of every current result, exactly once: of several copies of an image the first
-- that is not superseded stands for all.
CREATE VIEW current_particle AS
WITH shown AS (
    SELECT analysis.id AS analysis_id, min(image.id) AS image_id
    FROM analysis
    JOIN image ON image.image_key = analysis.image_key
    JOIN source_file ON source_file.id = image.source_file_id
    WHERE analysis.is_current = 1 AND source_file.state <> 'superseded'
    GROUP BY analysis.id
)
SELECT
    particle.id AS particle_id,
    image.id AS micrograph_id,
    image.field_of_view_id AS field_of_view_id,
    source_file.path AS path,
    session.name AS session,
    session.sample AS sample,
    session.run AS run,
    particle.label AS label,
    particle.centroid_y_px AS centroid_y_px,
    particle.centroid_x_px AS centroid_x_px,
    particle.area_px AS area_px,
    particle.area_nm2 AS area_nm2,
    particle.equivalent_diameter_nm AS equivalent_diameter_nm,
    particle.feret_max_nm AS feret_max_nm,
    particle.feret_min_nm AS feret_min_nm,
    particle.aspect_ratio AS aspect_ratio,
    particle.perimeter_nm AS perimeter_nm,
    particle.circularity AS circularity,
    particle.solidity AS solidity,
    particle.eccentricity AS eccentricity,
    particle.orientation_rad AS orientation_rad,
    particle.touches_border AS touches_border,
    particle.mean_probability AS mean_probability,
    CASE particle.class_code
        WHEN 0 THEN 'stacking_fault'
        WHEN 1 THEN 'no_stacking_fault'
        WHEN 2 THEN 'misoriented'
        WHEN 3 THEN 'agglomeration'
        WHEN 4 THEN 'background'
    END AS class,
    particle.p_stacking_fault AS p_stacking_fault,
    particle.p_no_stacking_fault AS p_no_stacking_fault,
    particle.p_misoriented AS p_misoriented,
    particle.p_agglomeration AS p_agglomeration,
    particle.p_background AS p_background,
    particle.fourier_mean AS fourier_mean,
    particle.fourier_std AS fourier_std,
    particle.fourier_centroid_per_nm AS fourier_centroid_per_nm,
    particle.intensity_mean AS intensity_mean,
    particle.intensity_std AS intensity_std,
    particle.published_fourier_mean AS published_fourier_mean,
    particle.published_fourier_std AS published_fourier_std,
    particle.published_fourier_centroid_px AS published_fourier_centroid_px,
    particle.published_intensity_mean AS published_intensity_mean,
    particle.published_intensity_std AS published_intensity_std,
    particle.reflection_count AS reflection_count,
    particle.reflection_directions AS reflection_directions,
    particle.reflection_strength AS reflection_strength,
    particle.second_direction_strength AS second_direction_strength,
    particle.third_direction_strength AS third_direction_strength,
    particle.bragg_power AS bragg_power,
    particle.bragg_fraction AS bragg_fraction,
    particle.reflection_elongation AS reflection_elongation,
    particle.reflection_width AS reflection_width,
    particle.reflection_sharpness AS reflection_sharpness,
    particle.streak_contrast AS streak_contrast,
    particle.streak_along_reflection AS streak_along_reflection,
    particle.unindexed_fraction AS unindexed_fraction,
    particle.phase_step_mean_rad AS phase_step_mean_rad,
    particle.phase_step_98_rad AS phase_step_98_rad,
    particle.amplitude_spread AS amplitude_spread,
    particle.lattice_cover AS lattice_cover,
    particle.reflection_cover AS reflection_cover,
    particle.split_gain AS split_gain,
    particle.split_phase AS split_phase,
    particle.split_third AS split_third,
    particle.split_step_rad AS split_step_rad,
    particle.split_contrast AS split_contrast,
    particle.split_misfit AS split_misfit,
    particle.domain_asymmetry AS domain_asymmetry,
    particle.crystallinity_mean AS crystallinity_mean,
    particle.crystallinity_low AS crystallinity_low,
    particle.disorder_mean AS disorder_mean,
    particle.disorder_high AS disorder_high,
    particle.disorder_contrast AS disorder_contrast,
    particle.disorder_extent AS disorder_extent,
    particle.disorder_share AS disorder_share,
    particle.halves_likeness_min AS halves_likeness_min,
    particle.halves_likeness_mean AS halves_likeness_mean,
    particle.halves_likeness_max AS halves_likeness_max,
    particle.dent_depth AS dent_depth,
    particle.inscribed_ratio AS inscribed_ratio,
    particle.hull_excess AS hull_excess,
    particle.shade_low AS shade_low,
    particle.shade_high AS shade_high,
    particle.shade_std AS shade_std,
    particle.shade_with_depth AS shade_with_depth,
    particle.shade_rest AS shade_rest,
    particle.shade_gap AS shade_gap,
    particle.overlap_mean AS overlap_mean,
    particle.overlap_high AS overlap_high,
    particle.seam_mean AS seam_mean,
    particle.seam_high AS seam_high,
    particle.excluded AS excluded,
    particle.equivalent_diameter_px AS equivalent_diameter_px,
    particle.feret_max_px AS feret_max_px,
    particle.feret_min_px AS feret_min_px,
    particle.perimeter_px AS perimeter_px,
    analysis.id AS analysis_id,
    analysis.in_domain AS in_domain,
    analysis.scale_assumed AS scale_assumed,
    image.suspect AS suspect,
    pipeline.fingerprint AS pipeline_fingerprint,
    pipeline.feature_set_version AS feature_set_version,
    session.uuid AS session_uuid
FROM shown
JOIN analysis ON analysis.id = shown.analysis_id
JOIN particle ON particle.analysis_id = analysis.id
JOIN image ON image.id = shown.image_id
JOIN source_file ON source_file.id = image.source_file_id
JOIN pipeline ON pipeline.id = analysis.pipeline_id
LEFT JOIN session ON session.id = source_file.session_id;
