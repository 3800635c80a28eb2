-- The regions of a result, packed into one value, in place of sums that nothing reads any more.
ALTER TABLE analysis_summary RENAME TO summary_of_schema_4;

CREATE TABLE analysis_summary (
    analysis_id INTEGER NOT NULL,
    particle_count INTEGER NOT NULL,
    packed BLOB NOT NULL,
    CONSTRAINT pk_analysis_summary PRIMARY KEY (analysis_id),
    CONSTRAINT ck_analysis_summary_particle_count CHECK (particle_count >= 0),
    CONSTRAINT ck_analysis_summary_packed CHECK (typeof(packed) = 'blob'),
    CONSTRAINT fk_analysis_summary_analysis_id FOREIGN KEY(analysis_id) REFERENCES analysis (id)
);

INSERT INTO analysis_summary
SELECT analysis_id, particle_count, x'' FROM summary_of_schema_4;

DROP TABLE summary_of_schema_4;

-- Formula of the particles; NULL where nobody stated it.
ALTER TABLE session ADD COLUMN material TEXT;
