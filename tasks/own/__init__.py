"""Data of one's own, and through other libraries: folder:, csv:, hf: and mirdata: tasks."""
