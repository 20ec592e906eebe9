"""Who sees whom, and when: contact windows from orbits and sites, with light time."""
