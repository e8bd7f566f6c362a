"""The parts of pco-report."""
