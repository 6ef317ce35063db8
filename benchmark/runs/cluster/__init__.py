"""The runs of a suite on the workers of a Dask cluster."""
