"""What a run earned and lost, as figures, tables and a page to read. Listens to the engine; decides nothing."""
