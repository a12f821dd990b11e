"""What the lessons lean on and nobody needs to study: exercise checks, figures, photos, the set-up cell."""
