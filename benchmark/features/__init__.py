"""From a file to frozen rows: reading, cutting and deforming audio, fetching data and weights, computing once."""
