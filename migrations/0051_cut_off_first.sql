-- What is switched off in copies of a snapshot, because it would reach other servers: one sentence each. It is recorded before
-- anything of it is changed, so that an interruption cannot lose it, and becomes container.cut_off when a clone has the data.
-- NULL: not recorded.
ALTER TABLE snapshot ADD COLUMN cut_off text[];
