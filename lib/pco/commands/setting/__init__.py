"""The parts of pco-setup: talk (the terminal), reaching (Plane), choosing, agent, key, writing, starting."""
