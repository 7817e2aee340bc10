-- Somebody must be able to administer the portal: the last administrator who can sign in is neither deleted, demoted nor
-- disabled, whatever the request is made with.
CREATE FUNCTION account_keeps_an_administrator() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- One change after the other: two administrators who demote each other would each still see the other one.
    PERFORM pg_advisory_xact_lock(hashtextextended('account_last_administrator', 0));
    IF NOT EXISTS (SELECT FROM account WHERE role = 'admin' AND disabled_at IS NULL) THEN
        RAISE EXCEPTION 'this is the last administrator'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_last_administrator';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_last_administrator AFTER UPDATE OF role, disabled_at OR DELETE ON account
    FOR EACH ROW WHEN (OLD.role = 'admin' AND OLD.disabled_at IS NULL)
    EXECUTE FUNCTION account_keeps_an_administrator();
