"""What is only read: the Home List, the line, the story."""
