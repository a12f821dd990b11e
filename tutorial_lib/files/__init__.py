"""What all else builds on: picture files, images as tensors, checkpoints, and writing files whole."""
