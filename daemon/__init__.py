"""The watcher: where analysis and schema meet, beside the microscope."""
