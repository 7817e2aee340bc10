//! Pauses jobs at selected steps with a trigger in mydb_admin: the portal waits for its own row to be written.

use super::Place;

/// Installs the trigger. A step held at `running` has not begun; a step held at `done` has done its work, but this is
/// not recorded yet. Step 0 is the end of the job.
pub fn prepare(place: &Place) {
    place.sql(
        "create table if not exists hold (kind text, name text, seq int, status text);
         create or replace function held_name(job uuid, container uuid) returns text language sql volatile as $$
           select coalesce((select c.name from container c where c.id = held_name.container),
                           (select t.name from template_version v join template t on t.id = v.template_id
                             where v.job_id = held_name.job)) $$;
         create or replace function hold_step() returns trigger language plpgsql as $$ begin
           while exists (select from hold h join job j on j.kind = h.kind
                          where j.id = new.job_id and h.name = held_name(j.id, j.container_id) and h.seq = new.seq
                            and (h.status = new.status::text or starts_with(new.detail, h.status)))
           loop perform pg_sleep(0.1); end loop;
           return new; end $$;
         create or replace function hold_job() returns trigger language plpgsql as $$ begin
           while exists (select from hold h where h.name = held_name(new.id, new.container_id) and h.kind = new.kind
                            and h.seq = 0 and h.status = new.status::text)
           loop perform pg_sleep(0.1); end loop;
           return new; end $$;
         create or replace trigger hold before update on job_step for each row execute function hold_step();
         create or replace trigger hold before update on job for each row execute function hold_job();",
    );
}

/// Holds the job of this kind for the database or the template with this name at this step, when it gets this status or says
/// something that begins with this text.
pub fn hold(place: &Place, kind: &str, name: &str, seq: usize, status: &str) {
    place.sql(&format!("insert into hold values ('{kind}', '{name}', {seq}, '{status}')"));
}

/// Number of jobs that are held now, as a query.
pub const WAITING: &str =
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";

/// Number of jobs that are held now.
pub fn waiting(place: &Place) -> usize {
    place.sql(WAITING).parse().expect("a number")
}

/// Terminates the held sessions, as if their portal had died: their transactions are rolled back.
pub fn cut(place: &Place) {
    place.sql(
        "delete from hold;
         select count(pg_terminate_backend(pid)) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()",
    );
}

/// Lets the held jobs continue.
pub fn release(place: &Place) {
    place.sql("delete from hold");
}
