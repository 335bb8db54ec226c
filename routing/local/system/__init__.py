"""The machine under a Ringback: accounts, processes, ports, folders, passwords, certificates, logs."""
