"""What makes a data set untrustworthy: leakage, duplicates, silence, and what it holds class by class."""
