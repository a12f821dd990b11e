"""What lies on the ground floor: picture files, images as tensors, checkpoints, and writing files whole."""
