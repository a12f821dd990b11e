"""What the lessons lean on and nobody needs to study: images, metrics, classical codecs, figures, exercise checks."""
