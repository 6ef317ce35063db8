"""Whether a record holds: conformance of plugins, numbers computed again, runs repeated, submissions."""
