"""The synthesised sounds that the shipped source `nano` was trained on."""
