"""From a spec to a record: plans, the runner and its measurements, the store, suites and sweeps, trained models."""
