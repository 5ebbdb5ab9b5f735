"""Commands, events and loops, one cog a subject."""
