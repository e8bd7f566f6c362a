"""The parts of pco-poll: the run, a project's visit, its lists, walks and sweeps, imports, and what is written."""
