"""What tests of real calls share: a queue of their own, agents and customers at it, what the feed told."""
