"""The parts of pco-setup: talk (the terminal), reaching (Plane), choosing, writing, starting."""
