"""What has to be there: programs of Postgres and Asterisk, found, unpacked or installed from Debian's packages."""
