"""What only the lessons need, and what need not be studied: exercise checks, figures, photos, the set-up cell."""
