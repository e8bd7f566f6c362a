"""Agents behind one seam: `prepare`, `read_event`, `outcome`."""
