"""A pretended Freesound, map and tile server, to build a dataset from."""
