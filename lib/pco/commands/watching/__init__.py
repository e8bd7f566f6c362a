"""The parts of pco-watch: the trigger it waits for, the ears it listens with, one look at all sessions, the work."""
