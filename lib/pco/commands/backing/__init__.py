"""The parts of pco-backup and pco-restore."""
