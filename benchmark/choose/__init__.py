"""From a task to an answer in one command: a race of systems, and what it tells in plain words."""
