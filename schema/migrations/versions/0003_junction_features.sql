-- What is NULL was not computed: by an earlier release.
ALTER TABLE particle ADD COLUMN overlap_mean REAL;
ALTER TABLE particle ADD COLUMN overlap_high REAL;
ALTER TABLE particle ADD COLUMN seam_mean REAL;
ALTER TABLE particle ADD COLUMN seam_high REAL;
