"""What every process needs and no call is about: settings, logs, figures, passwords, the signal to end."""
