"""What a waiting caller goes through: timed workflow, menus, number dialogue, prompts. Pure; drives nothing."""
