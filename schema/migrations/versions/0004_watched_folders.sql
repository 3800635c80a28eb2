-- When the file or its rights changed last; NULL in older rows, and of files no walk has found.
ALTER TABLE source_file ADD COLUMN ctime_ns INTEGER;

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
