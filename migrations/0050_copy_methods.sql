-- How data is copied on a tier has three answers since a copy can be a snapshot of a Btrfs subvolume.
ALTER TABLE tier_usage ADD COLUMN copies text;
UPDATE tier_usage SET copies = CASE WHEN reflink THEN 'reflink' ELSE 'plain' END;
ALTER TABLE tier_usage ALTER COLUMN copies SET NOT NULL;
ALTER TABLE tier_usage ADD CONSTRAINT tier_usage_copies CHECK (copies IN ('subvolume', 'reflink', 'plain'));
ALTER TABLE tier_usage DROP COLUMN reflink;
