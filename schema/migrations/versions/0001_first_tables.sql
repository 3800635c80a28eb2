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

CREATE TABLE field_of_view (
    id INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    CONSTRAINT pk_field_of_view PRIMARY KEY (id),
    CONSTRAINT ck_field_of_view_key CHECK (typeof(key) = 'blob'),
    CONSTRAINT uq_field_of_view_key UNIQUE ("key")
);

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
    folder BLOB,
    CONSTRAINT pk_session PRIMARY KEY (id),
    CONSTRAINT ck_session_order CHECK (ended_at_utc IS NULL OR ended_at_utc >= started_at_utc),
    CONSTRAINT uq_session_uuid UNIQUE (uuid)
);

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

CREATE INDEX ix_pipeline_bundle_id ON pipeline (bundle_id);

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
    pid INTEGER,
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

CREATE INDEX ix_source_file_content ON source_file (content_sha256) WHERE content_sha256 IS NOT NULL;

CREATE INDEX ix_source_file_finished ON source_file (finished_at_utc);

CREATE UNIQUE INDEX ix_source_file_live_path ON source_file (path) WHERE state <> 'superseded';

CREATE INDEX ix_source_file_queue ON source_file (state, priority, first_seen_at_utc);

CREATE INDEX ix_source_file_root ON source_file (root);

CREATE INDEX ix_source_file_session_id ON source_file (session_id);

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

CREATE INDEX ix_image_field_of_view_id ON image (field_of_view_id);

CREATE INDEX ix_image_image_key ON image (image_key);

CREATE INDEX ix_image_pixel_sha256 ON image (pixel_sha256);

CREATE UNIQUE INDEX ix_image_place ON image (source_file_id, signal_index, coalesce(frame_index, -1));

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

CREATE UNIQUE INDEX ix_analysis_current ON analysis (image_key) WHERE is_current = 1;

CREATE INDEX ix_analysis_finished ON analysis (activated_at_utc);

CREATE INDEX ix_analysis_image_id ON analysis (image_id);

CREATE INDEX ix_analysis_image_key ON analysis (image_key);

CREATE INDEX ix_analysis_pipeline_id ON analysis (pipeline_id);

CREATE TABLE analysis_summary (
    analysis_id INTEGER NOT NULL,
    particle_count INTEGER NOT NULL,
    excluded_count INTEGER NOT NULL,
    border_count INTEGER NOT NULL,
    unclassified_count INTEGER NOT NULL,
    stacking_fault_count INTEGER NOT NULL,
    no_stacking_fault_count INTEGER NOT NULL,
    misoriented_count INTEGER NOT NULL,
    agglomeration_count INTEGER NOT NULL,
    background_count INTEGER NOT NULL,
    size_count INTEGER NOT NULL,
    sum_ln_d REAL NOT NULL,
    sum_ln_d_squared REAL NOT NULL,
    size_histogram_json TEXT NOT NULL,
    CONSTRAINT pk_analysis_summary PRIMARY KEY (analysis_id),
    CONSTRAINT ck_analysis_summary_particle_count CHECK (particle_count >= 0),
    CONSTRAINT fk_analysis_summary_analysis_id FOREIGN KEY(analysis_id) REFERENCES analysis (id)
);

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
    published_intensity_std REAL,
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

CREATE INDEX ix_particle_statistics ON particle (analysis_id, excluded, touches_border, class_code, equivalent_diameter_nm, area_nm2, aspect_ratio, circularity, feret_max_nm);
