"""Every touch of the machine: clock, sensors, model worker, ports, health."""
