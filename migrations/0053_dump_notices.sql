-- Notices about the directory of dumps, which concern neither a database nor a template.
ALTER TABLE notice DROP CONSTRAINT notice_check;
ALTER TABLE notice ADD CONSTRAINT notice_subject_check CHECK (num_nonnulls(container_id, template_id) <= 1);
DROP INDEX notice_open_key;
CREATE UNIQUE INDEX notice_open_key
    ON notice (coalesce(container_id, template_id, '00000000-0000-0000-0000-000000000000'), kind) WHERE ended_at IS NULL;
