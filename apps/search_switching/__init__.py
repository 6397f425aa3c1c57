"""Moves a tenant from one space to another without downtime. Begin with `steps.start_switch`."""
