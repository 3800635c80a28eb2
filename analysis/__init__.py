"""Physics and pictures: from a micrograph to the particles on it."""
