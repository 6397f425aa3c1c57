"""What operators do with a fleet of tenants. Each folder is an app that can be left out."""
