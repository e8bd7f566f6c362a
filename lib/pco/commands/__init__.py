"""The programs, one file each; only here do the layers meet."""
