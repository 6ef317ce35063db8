"""Features made by hand (Marsyas, MFCC codebooks, sparse codes) and the classifiers on them."""
