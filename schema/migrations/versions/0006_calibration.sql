-- How sure the calibration is: half the 95 % interval of the pixel size, as a share of it; NULL where
-- nobody stated it.
ALTER TABLE session ADD COLUMN pixel_size_uncertainty REAL;
