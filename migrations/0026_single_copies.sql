-- Clones that need one copy, and what was switched off in them.

-- The directory that a copy has become: on storage where copies cannot share blocks, the copy made for a clone is moved to the
-- directory of the clone, instead of being copied again. Such a row has removed_at as well.
ALTER TABLE snapshot ADD COLUMN moved_to uuid;
ALTER TABLE snapshot ADD CHECK (moved_to IS NULL OR (reason = 'clone' AND removed_at IS NOT NULL));

-- What was found and switched off in a clone, because it would reach other servers: one sentence each. NULL: not recorded.
ALTER TABLE container ADD COLUMN cut_off text[];
