//! Pauses jobs at selected steps with a trigger in mydb_admin: the portal waits for its own row to be written.

use super::Place;

/// Installs the trigger. A step held at `running` is noted but not begun; at `done` its work is done but not noted. Step 0
/// is the job's own end.
pub fn prepare(place: &Place) {
    place.sql(
        "create table hold (kind text, name text, seq int, status text);
         create function hold_step() returns trigger language plpgsql as $$ begin
           while exists (select from hold h join job j on j.kind = h.kind join container c on c.id = j.container_id
                          where c.name = h.name and j.id = new.job_id and h.seq = new.seq and h.status = new.status::text)
           loop perform pg_sleep(0.5); end loop;
           return new; end $$;
         create function hold_job() returns trigger language plpgsql as $$ begin
           while exists (select from hold h join container c on c.id = new.container_id
                          where c.name = h.name and h.kind = new.kind and h.seq = 0 and h.status = new.status::text)
           loop perform pg_sleep(0.5); end loop;
           return new; end $$;
         create trigger hold before update on job_step for each row execute function hold_step();
         create trigger hold before update on job for each row execute function hold_job();",
    );
}

/// Holds the job of this kind on the database of this name there.
pub fn hold(place: &Place, kind: &str, name: &str, seq: usize, status: &str) {
    place.sql(&format!("insert into hold values ('{kind}', '{name}', {seq}, '{status}')"));
}

/// How many are held now.
pub fn waiting(place: &Place) -> usize {
    let asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
    place.sql(asleep).parse().expect("a number")
}

/// Ends what is held as the death of its portal would: nothing of it is written.
pub fn cut(place: &Place) {
    place.sql(
        "delete from hold;
         select count(pg_terminate_backend(pid)) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()",
    );
}

/// Lets what is held go on.
pub fn release(place: &Place) {
    place.sql("delete from hold");
}
