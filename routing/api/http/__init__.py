"""What every route needs: reading, errors, who asks, how much, once; and the description of them all."""
