"""Commands, event listeners and loops, a cog for each subject."""
