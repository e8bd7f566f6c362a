"""The parts of pco-doctor."""
