-- A database of schema 5, as that schema's own code made it and Python's iterdump wrote it down:
-- the database of schema_4.sql, migrated by the release that brought schema 5, with one more session,
-- which states its material.
-- Written once and never changed.
PRAGMA application_id = 1179801428;
PRAGMA user_version = 5;
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0005');
CREATE TABLE analysis (
    id INTEGER NOT NULL,
    natural_key TEXT NOT NULL,
    image_key TEXT NOT NULL,
    image_id INTEGER NOT NULL,
    pipeline_id INTEGER NOT NULL,
    is_current SMALLINT NOT NULL,
    activated_at_utc TEXT NOT NULL,
    mask_path TEXT NOT NULL,
    pixel_size_nm REAL,
    pixel_size_source TEXT NOT NULL,
    in_domain SMALLINT NOT NULL,
    domain_reason TEXT,
    segmented SMALLINT NOT NULL,
    forced SMALLINT NOT NULL,
    scale_assumed SMALLINT NOT NULL,
    size_limit_nm REAL NOT NULL,
    background_deviation REAL,
    analysed_at_utc TEXT NOT NULL,
    seconds REAL NOT NULL,
    device TEXT NOT NULL,
    software_version TEXT NOT NULL,
    CONSTRAINT pk_analysis PRIMARY KEY (id),
    CONSTRAINT ck_analysis_natural_key CHECK (length(natural_key) = 64),
    CONSTRAINT ck_analysis_image_key CHECK (length(image_key) = 64),
    CONSTRAINT ck_analysis_domain_reason CHECK (in_domain = 1 OR domain_reason IS NOT NULL),
    CONSTRAINT ck_analysis_seconds CHECK (seconds >= 0),
    CONSTRAINT ck_analysis_in_domain CHECK (in_domain IN (0, 1)),
    CONSTRAINT ck_analysis_segmented CHECK (segmented IN (0, 1)),
    CONSTRAINT ck_analysis_forced CHECK (forced IN (0, 1)),
    CONSTRAINT ck_analysis_scale_assumed CHECK (scale_assumed IN (0, 1)),
    CONSTRAINT ck_analysis_is_current CHECK (is_current IN (0, 1)),
    CONSTRAINT uq_analysis_natural_key UNIQUE (natural_key),
    CONSTRAINT fk_analysis_image_id FOREIGN KEY(image_id) REFERENCES image (id),
    CONSTRAINT fk_analysis_pipeline_id FOREIGN KEY(pipeline_id) REFERENCES pipeline (id)
);
INSERT INTO "analysis" VALUES(1,'6fba56afab058fb33cce70d4f8f89c985525521f71644310735784c011a3962b','7a0d52849daec9ddcd08c4f7cdccf9a41d836424791c60d4942df9a0efcd7734',1,1,1,'2026-03-01T09:30:00.000000Z','masks/2026-03-01/a-6fba56afab05.h5',0.02,'file',1,NULL,1,0,0,1.0,12.5,'2026-03-01T09:30:00.000000Z',1.25,'cpu','0.1.0');
INSERT INTO "analysis" VALUES(2,'11e817ed2fbd2e0e97009d89c127b15c3b80479233df37d5f74bb459f23c2e75','3a6a1733c0be05111913e1b069055b1886e2f01d94b04c955d952f0cabac4de9',2,1,1,'2026-03-01T09:30:00.000000Z','masks/2026-03-01/a-11e817ed2fbd.h5',0.02,'file',1,NULL,1,0,0,1.0,12.5,'2026-03-01T09:30:00.000000Z',1.25,'cpu','0.1.0');
CREATE TABLE analysis_summary (
    analysis_id INTEGER NOT NULL,
    particle_count INTEGER NOT NULL,
    packed BLOB NOT NULL,
    CONSTRAINT pk_analysis_summary PRIMARY KEY (analysis_id),
    CONSTRAINT ck_analysis_summary_particle_count CHECK (particle_count >= 0),
    CONSTRAINT ck_analysis_summary_packed CHECK (typeof(packed) = 'blob'),
    CONSTRAINT fk_analysis_summary_analysis_id FOREIGN KEY(analysis_id) REFERENCES analysis (id)
);
INSERT INTO "analysis_summary" VALUES(1,2,X'00000000000014400000000000001440000000000000F03F000000000000F03F010000000000000000F87F000000000000F87F000000000000F03F000000000000F03FFF0000');
INSERT INTO "analysis_summary" VALUES(2,2,X'00000000000014400000000000001440000000000000F03F000000000000F03F01000000000000000014400000000000001240000000000000F43F000000000000F03F010101');
CREATE TABLE bundle (
    id INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    manifest_json TEXT NOT NULL,
    CONSTRAINT pk_bundle PRIMARY KEY (id),
    CONSTRAINT ck_bundle_sha256 CHECK (length(sha256) = 64),
    CONSTRAINT uq_bundle_sha256 UNIQUE (sha256)
);
INSERT INTO "bundle" VALUES(1,'1e6ed65d77d6364eeaed5a745ba5c4985ae2b700dd85d7cf7f027bdf294a33fc','default','1','{"name":"default"}');
CREATE TABLE field_of_view (
    id INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    CONSTRAINT pk_field_of_view PRIMARY KEY (id),
    CONSTRAINT ck_field_of_view_key CHECK (typeof(key) = 'blob'),
    CONSTRAINT uq_field_of_view_key UNIQUE ("key")
);
INSERT INTO "field_of_view" VALUES(1,X'2F646174612F6F6E65');
INSERT INTO "field_of_view" VALUES(2,X'2F646174612F74776F');
CREATE TABLE image (
    id INTEGER NOT NULL,
    source_file_id INTEGER NOT NULL,
    field_of_view_id INTEGER NOT NULL,
    signal_index INTEGER NOT NULL,
    signal_title TEXT NOT NULL,
    frame_index INTEGER,
    frame_count INTEGER NOT NULL,
    is_sum SMALLINT NOT NULL,
    pixel_sha256 TEXT NOT NULL,
    image_key TEXT NOT NULL,
    width_px INTEGER NOT NULL,
    height_px INTEGER NOT NULL,
    pixel_size_nm REAL,
    pixel_size_source TEXT NOT NULL,
    imaging_mode TEXT NOT NULL,
    acquired_at_utc TEXT,
    acquired_local TEXT,
    tz_source TEXT,
    high_tension_kv REAL,
    magnification REAL,
    exposure_s REAL,
    dose_e_per_a2 REAL,
    defocus_nm REAL,
    instrument TEXT,
    detector TEXT,
    suspect TEXT,
    CONSTRAINT pk_image PRIMARY KEY (id),
    CONSTRAINT ck_image_pixel_sha256 CHECK (length(pixel_sha256) = 64),
    CONSTRAINT ck_image_image_key CHECK (length(image_key) = 64),
    CONSTRAINT ck_image_width_px CHECK (width_px > 0),
    CONSTRAINT ck_image_height_px CHECK (height_px > 0),
    CONSTRAINT ck_image_pixel_size_nm CHECK (pixel_size_nm > 0),
    CONSTRAINT ck_image_signal_index CHECK (signal_index >= 0),
    CONSTRAINT ck_image_frame_index CHECK (frame_index BETWEEN 0 AND frame_count - 1),
    CONSTRAINT ck_image_pixel_size_source CHECK (pixel_size_source IN ('file', 'sidecar', 'config', 'unknown')),
    CONSTRAINT ck_image_calibration CHECK ((pixel_size_nm IS NULL) = (pixel_size_source = 'unknown')),
    CONSTRAINT ck_image_imaging_mode CHECK (imaging_mode IN ('TEM', 'STEM', 'unknown')),
    CONSTRAINT ck_image_is_sum CHECK (is_sum IN (0, 1)),
    CONSTRAINT fk_image_source_file_id FOREIGN KEY(source_file_id) REFERENCES source_file (id),
    CONSTRAINT fk_image_field_of_view_id FOREIGN KEY(field_of_view_id) REFERENCES field_of_view (id)
);
INSERT INTO "image" VALUES(1,1,1,0,'',NULL,1,0,'7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed','7a0d52849daec9ddcd08c4f7cdccf9a41d836424791c60d4942df9a0efcd7734',4096,4096,0.02,'file','TEM',NULL,'2026-03-01T10:30:00.000000',NULL,300.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "image" VALUES(2,2,2,0,'',NULL,1,0,'3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3','3a6a1733c0be05111913e1b069055b1886e2f01d94b04c955d952f0cabac4de9',4096,4096,0.02,'file','TEM',NULL,'2026-03-01T10:30:00.000000',NULL,300.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE particle (
    id INTEGER NOT NULL,
    analysis_id INTEGER NOT NULL,
    label INTEGER NOT NULL,
    centroid_y_px REAL NOT NULL,
    centroid_x_px REAL NOT NULL,
    area_px INTEGER NOT NULL,
    area_nm2 REAL,
    equivalent_diameter_px REAL NOT NULL,
    equivalent_diameter_nm REAL,
    feret_max_px REAL NOT NULL,
    feret_max_nm REAL,
    feret_min_px REAL NOT NULL,
    feret_min_nm REAL,
    perimeter_px REAL NOT NULL,
    perimeter_nm REAL,
    aspect_ratio REAL NOT NULL,
    circularity REAL NOT NULL,
    solidity REAL NOT NULL,
    eccentricity REAL NOT NULL,
    orientation_rad REAL NOT NULL,
    touches_border SMALLINT NOT NULL,
    excluded TEXT,
    mean_probability REAL NOT NULL,
    class_code SMALLINT,
    p_stacking_fault REAL,
    p_no_stacking_fault REAL,
    p_misoriented REAL,
    p_agglomeration REAL,
    p_background REAL,
    fourier_mean REAL,
    fourier_std REAL,
    fourier_centroid_per_nm REAL,
    intensity_mean REAL,
    intensity_std REAL,
    published_fourier_mean REAL,
    published_fourier_std REAL,
    published_fourier_centroid_px REAL,
    published_intensity_mean REAL,
    published_intensity_std REAL, reflection_count REAL, reflection_directions REAL, reflection_strength REAL, second_direction_strength REAL, third_direction_strength REAL, bragg_power REAL, bragg_fraction REAL, reflection_elongation REAL, reflection_width REAL, reflection_sharpness REAL, streak_contrast REAL, streak_along_reflection REAL, unindexed_fraction REAL, phase_step_mean_rad REAL, phase_step_98_rad REAL, amplitude_spread REAL, lattice_cover REAL, reflection_cover REAL, split_gain REAL, split_phase REAL, split_third REAL, split_step_rad REAL, split_contrast REAL, split_misfit REAL, domain_asymmetry REAL, crystallinity_mean REAL, crystallinity_low REAL, disorder_mean REAL, disorder_high REAL, disorder_contrast REAL, disorder_extent REAL, disorder_share REAL, halves_likeness_min REAL, halves_likeness_mean REAL, halves_likeness_max REAL, dent_depth REAL, inscribed_ratio REAL, hull_excess REAL, shade_low REAL, shade_high REAL, shade_std REAL, shade_with_depth REAL, shade_rest REAL, shade_gap REAL, overlap_mean REAL, overlap_high REAL, seam_mean REAL, seam_high REAL,
    CONSTRAINT pk_particle PRIMARY KEY (id),
    CONSTRAINT uq_particle_analysis_id_label UNIQUE (analysis_id, label),
    CONSTRAINT ck_particle_label CHECK (label > 0),
    CONSTRAINT ck_particle_class_code CHECK (class_code BETWEEN 0 AND 4),
    CONSTRAINT ck_particle_area_px CHECK (area_px > 0),
    CONSTRAINT ck_particle_area_nm2 CHECK (area_nm2 > 0),
    CONSTRAINT ck_particle_equivalent_diameter_px CHECK (equivalent_diameter_px > 0),
    CONSTRAINT ck_particle_equivalent_diameter_nm CHECK (equivalent_diameter_nm > 0),
    CONSTRAINT ck_particle_feret_max_px CHECK (feret_max_px > 0),
    CONSTRAINT ck_particle_feret_max_nm CHECK (feret_max_nm > 0),
    CONSTRAINT ck_particle_feret_px CHECK (feret_min_px >= 0 AND feret_min_px <= feret_max_px),
    CONSTRAINT ck_particle_perimeter_px CHECK (perimeter_px >= 0),
    CONSTRAINT ck_particle_aspect_ratio CHECK (aspect_ratio >= 1),
    CONSTRAINT ck_particle_scale CHECK ((equivalent_diameter_nm IS NULL) = (area_nm2 IS NULL)),
    CONSTRAINT ck_particle_touches_border CHECK (touches_border IN (0, 1)),
    CONSTRAINT fk_particle_analysis_id FOREIGN KEY(analysis_id) REFERENCES analysis (id)
);
INSERT INTO "particle" VALUES(1,1,1,100.5,200.25,49087,1.96348000000000020293e+01,250.0,5.0,250.0,5.0,250.0,5.0,785.0,1.57000000000000010662e+01,1.0,1.0,1.0,0.0,0.25,0,NULL,0.9,1,0.2,0.2,0.2,0.2,0.2,2.5,1.25,3.5,-1.5,0.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "particle" VALUES(2,1,2,100.5,200.25,49087,NULL,250.0,NULL,250.0,NULL,250.0,NULL,785.0,NULL,1.0,1.0,1.0,0.0,0.25,0,NULL,0.9,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "particle" VALUES(3,2,1,100.5,200.25,49087,1.96348000000000020293e+01,250.0,5.0,250.0,5.0,250.0,5.0,785.0,1.57000000000000010662e+01,1.0,1.0,1.0,0.0,0.25,0,NULL,0.9,1,0.2,0.2,0.2,0.2,0.2,NULL,NULL,NULL,NULL,NULL,10.0,NULL,NULL,900.0,NULL,4.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,12.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.25,0.25,0.5,0.125,0.375);
INSERT INTO "particle" VALUES(4,2,2,100.5,200.25,49087,1.96348000000000020293e+01,250.0,5.0,250.0,5.0,200.0,4.0,785.0,1.57000000000000010662e+01,1.25,1.0,1.0,0.0,0.25,1,'below_size_limit',0.9,1,0.2,0.2,0.2,0.2,0.2,NULL,NULL,NULL,NULL,NULL,10.0,NULL,NULL,900.0,NULL,4.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,12.5,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0.25,0.25,0.5,0.125,0.375);
CREATE TABLE pipeline (
    id INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    bundle_id INTEGER NOT NULL,
    settings_json TEXT NOT NULL,
    analysis_version INTEGER NOT NULL,
    feature_set_version TEXT NOT NULL,
    CONSTRAINT pk_pipeline PRIMARY KEY (id),
    CONSTRAINT ck_pipeline_fingerprint CHECK (length(fingerprint) = 64),
    CONSTRAINT uq_pipeline_fingerprint UNIQUE (fingerprint),
    CONSTRAINT fk_pipeline_bundle_id FOREIGN KEY(bundle_id) REFERENCES bundle (id)
);
INSERT INTO "pipeline" VALUES(1,'23bf0d244a4cb62c85fc3aa0e8ebf8eb7eb970522a51326adf1ac015fc738c7c',1,'{}',1,'fringewatch-1');
CREATE TABLE session (
    id INTEGER NOT NULL,
    uuid TEXT NOT NULL,
    name TEXT NOT NULL,
    started_at_utc TEXT NOT NULL,
    ended_at_utc TEXT,
    sample TEXT,
    run TEXT,
    operator TEXT,
    instrument TEXT,
    folder BLOB, material TEXT,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT ck_session_order CHECK (ended_at_utc IS NULL OR ended_at_utc >= started_at_utc),
    CONSTRAINT uq_session_uuid UNIQUE (uuid)
);
INSERT INTO "session" VALUES(1,'0b8e1a4e-6f0f-4f6e-9d2c-000000000005','evening','2026-03-01T09:30:00.000000Z',NULL,'CdSe','run 7',NULL,NULL,NULL,'CdSe');
CREATE TABLE source_file (
    id INTEGER NOT NULL,
    path BLOB NOT NULL,
    root BLOB NOT NULL,
    revision INTEGER NOT NULL,
    session_id INTEGER,
    state TEXT NOT NULL,
    present SMALLINT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    companions TEXT NOT NULL,
    file_sha256 TEXT,
    content_sha256 TEXT,
    priority SMALLINT NOT NULL,
    forced SMALLINT NOT NULL,
    pixel_size_nm REAL,
    attempts INTEGER NOT NULL,
    child_deaths INTEGER NOT NULL,
    next_attempt_at_utc TEXT,
    error_code TEXT,
    error_message TEXT,
    suspect TEXT,
    first_seen_at_utc TEXT NOT NULL,
    settled_at_utc TEXT,
    started_at_utc TEXT,
    finished_at_utc TEXT,
    boot_id TEXT,
    pid INTEGER, ctime_ns INTEGER,
    CONSTRAINT pk_source_file PRIMARY KEY (id),
    CONSTRAINT ck_source_file_state CHECK (state IN ('seen', 'settling', 'ready', 'processing', 'done', 'retry', 'refused', 'quarantined', 'superseded')),
    CONSTRAINT ck_source_file_path CHECK (typeof(path) = 'blob' AND length(path) > 0),
    CONSTRAINT ck_source_file_root CHECK (typeof(root) = 'blob'),
    CONSTRAINT ck_source_file_revision CHECK (revision >= 1),
    CONSTRAINT ck_source_file_size_bytes CHECK (size_bytes >= 0),
    CONSTRAINT ck_source_file_attempts CHECK (attempts >= 0 AND child_deaths >= 0),
    CONSTRAINT ck_source_file_retry CHECK ((state = 'retry') = (next_attempt_at_utc IS NOT NULL)),
    CONSTRAINT ck_source_file_present CHECK (present IN (0, 1)),
    CONSTRAINT ck_source_file_forced CHECK (forced IN (0, 1)),
    CONSTRAINT ck_source_file_pixel_size_nm CHECK (pixel_size_nm > 0),
    CONSTRAINT uq_source_file_path_revision UNIQUE (path, revision),
    CONSTRAINT fk_source_file_session_id FOREIGN KEY(session_id) REFERENCES session (id)
);
INSERT INTO "source_file" VALUES(1,X'2F646174612F612E646D34',X'2F64617461',1,NULL,'done',1,1000,1,7,'[]','25c2e91b57d6424bb876814f6f7bc427368465d6d1126873003a80447eb82097','25c2e91b57d6424bb876814f6f7bc427368465d6d1126873003a80447eb82097',0,0,NULL,0,0,NULL,NULL,NULL,NULL,'2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','boot',1,5);
INSERT INTO "source_file" VALUES(2,X'2F646174612F622E746966',X'2F64617461',1,NULL,'done',1,1000,1,7,'[]','5b52751f061c2656df479e08a83c0b80622253b40fe065b9558e09b3403f4c5a','5b52751f061c2656df479e08a83c0b80622253b40fe065b9558e09b3403f4c5a',0,0,NULL,0,0,NULL,NULL,NULL,NULL,'2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','2026-03-01T09:30:00.000000Z','boot',1,NULL);
CREATE TABLE watched_folder (
    configured BLOB NOT NULL,
    path BLOB NOT NULL,
    mount_point BLOB NOT NULL,
    mount_source BLOB NOT NULL,
    seen_at_utc TEXT NOT NULL,
    CONSTRAINT pk_watched_folder PRIMARY KEY (configured),
    CONSTRAINT ck_watched_folder_configured CHECK (typeof(configured) = 'blob'),
    CONSTRAINT ck_watched_folder_path CHECK (typeof(path) = 'blob'),
    CONSTRAINT ck_watched_folder_mount_point CHECK (typeof(mount_point) = 'blob'),
    CONSTRAINT ck_watched_folder_mount_source CHECK (typeof(mount_source) = 'blob')
);
INSERT INTO "watched_folder" VALUES(X'2F64617461',X'2F64617461',X'2F',X'','2026-03-01T09:30:00.000000Z');
CREATE INDEX ix_pipeline_bundle_id ON pipeline (bundle_id);
CREATE INDEX ix_source_file_content ON source_file (content_sha256) WHERE content_sha256 IS NOT NULL;
CREATE INDEX ix_source_file_finished ON source_file (finished_at_utc);
CREATE UNIQUE INDEX ix_source_file_live_path ON source_file (path) WHERE state <> 'superseded';
CREATE INDEX ix_source_file_queue ON source_file (state, priority, first_seen_at_utc);
CREATE INDEX ix_source_file_root ON source_file (root);
CREATE INDEX ix_source_file_session_id ON source_file (session_id);
CREATE INDEX ix_image_field_of_view_id ON image (field_of_view_id);
CREATE INDEX ix_image_image_key ON image (image_key);
CREATE INDEX ix_image_pixel_sha256 ON image (pixel_sha256);
CREATE UNIQUE INDEX ix_image_place ON image (source_file_id, signal_index, coalesce(frame_index, -1));
CREATE UNIQUE INDEX ix_analysis_current ON analysis (image_key) WHERE is_current = 1;
CREATE INDEX ix_analysis_finished ON analysis (activated_at_utc);
CREATE INDEX ix_analysis_image_id ON analysis (image_id);
CREATE INDEX ix_analysis_image_key ON analysis (image_key);
CREATE INDEX ix_analysis_pipeline_id ON analysis (pipeline_id);
CREATE INDEX ix_particle_statistics ON particle (analysis_id, excluded, touches_border, class_code, equivalent_diameter_nm, area_nm2, aspect_ratio, circularity, feret_max_nm);
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
COMMIT;
