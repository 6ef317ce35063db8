"""Methods that train inside a source: all of it, some of its blocks, or a few values between or in them."""
