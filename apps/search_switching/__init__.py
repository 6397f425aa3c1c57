"""From one space to another without downtime. Begin with `start_switch`."""
