-- The cores that the owner of a database asked for: a set such as '0,2-3', or 'auto:N' for a number of cores that the portal
-- chooses; NULL: all cores.
ALTER TABLE container ADD COLUMN cpuset text;
-- The cores that its server has, as long as it runs or is about to. If "cpuset" is NULL, the server still has to be released
-- from them.
ALTER TABLE container ADD COLUMN cpuset_assigned text;
CREATE INDEX container_cpuset_assigned_idx ON container (id) WHERE cpuset_assigned IS NOT NULL;
-- How often the kernel ended a process of its server that exceeded the memory limit, and when it did last.
ALTER TABLE container ADD COLUMN oom_kills bigint NOT NULL DEFAULT 0;
ALTER TABLE container ADD COLUMN oom_killed_at timestamptz;
-- The kinds of notices are listed in the code only, so that a new kind needs no migration.
ALTER TABLE notice DROP CONSTRAINT notice_kind_check;
ALTER TABLE notice ADD CONSTRAINT notice_kind_check CHECK (kind ~ '^[a-z_]+$');
