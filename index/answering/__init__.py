"""From a ranking to an answer: who says what, copies, conflicts, and declining."""
