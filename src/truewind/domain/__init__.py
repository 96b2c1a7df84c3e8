"""The words of the field as values, and the ports through which rooms meet. No I/O."""
