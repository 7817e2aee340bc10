-- The second port of Neo4j servers is encrypted from now on. A server that already exists gets it when its container is made
-- anew, for example after a change of its limits.
UPDATE port SET purpose = 'https' WHERE purpose = 'http';
