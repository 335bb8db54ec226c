"""The HTTP API: `app` puts it together, `http` is what every route needs, the other rooms are one subject each."""
