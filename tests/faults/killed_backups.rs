//! The real program is killed at random moments during backups and restores: each is still completed or cleaned up,
//! backups reported as good are good, and nothing else is left behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::{Dice, Place, rounds, sign_in, until};
use crate::backups::objects_in;
use crate::support::program::Program;
use crate::support::{Client, docker};

/// One connection to mydb_admin that survives the kills.
struct Tables(tokio_postgres::Client);

impl Tables {
    async fn of(place: &Place) -> Self {
        let (client, connection) =
            tokio_postgres::connect(&place.tables, tokio_postgres::NoTls).await.expect("mydb_admin answers");
        tokio::spawn(connection);
        Self(client)
    }

    /// The columns of all rows.
    async fn rows(&self, statement: &str) -> Vec<Vec<String>> {
        let said =
            self.0.simple_query(statement).await.unwrap_or_else(|e| panic!("this statement failed: {statement}: {e}"));
        let row = |m: tokio_postgres::SimpleQueryMessage| match m {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|i| row.get(i).unwrap_or_default().to_owned()).collect())
            }
            _ => None,
        };
        said.into_iter().filter_map(row).collect()
    }

    async fn one(&self, statement: &str) -> String {
        self.rows(statement).await.into_iter().flatten().next().unwrap_or_default()
    }

    /// Whether a job of this kind is queued or running.
    async fn open(&self, kind: &str) -> bool {
        let open = format!("select count(*) from job where kind = '{kind}' and status in ('queued', 'running')");
        self.one(&open).await != "0"
    }
}

/// Checks that the objects of every good backup match its manifest, and returns the other files in the store.
async fn judge(tables: &Tables, store: &Path) -> Vec<PathBuf> {
    let objects = "select b.location, o->>'file', o->'stored'->>'bytes', o->'stored'->>'sha256'
                     from backup_log b, jsonb_array_elements(b.manifest->'objects') o where b.kind = 'backup' and b.status = 'succeeded'";
    let mut good: Vec<String> = Vec::new();
    for row in tables.rows(objects).await {
        let [location, file, bytes, sha256] = &row[..] else { unreachable!("{row:?}") };
        let dir = store.join("db4sci-backups").join(location);
        let content = std::fs::read(dir.join(file)).unwrap_or_else(|e| panic!("{location}/{file}: {e}"));
        assert_eq!((&content.len().to_string(), &hex::encode(Sha256::digest(&content))), (bytes, sha256), "{location}");
        assert!(dir.join("manifest.json").is_file() && dir.join("RESTORE.txt").is_file(), "{location}");
        good.push(location.clone());
    }
    let mut others = objects_in(store.to_owned());
    others.retain(|p| !good.iter().any(|location| p.to_string_lossy().contains(location)));
    others
}

/// The content of a database, queried in its container.
fn holds(place: &Place, name: &str) -> String {
    let inside = place.container(name);
    let ask = "exec psql -U \"$POSTGRES_USER\" -d trial -XAtqc 'select count(*), sum(i) from t'";
    docker::docker(&["exec", &inside, "sh", "-c", ask])
}

/// Removes restored databases: running ones are deleted, and those in the trash are deleted permanently.
async fn tidy(place: &Place, tables: &Tables, admin: &Client) {
    let idle = "select name, state from container c join state s on s.container_id = c.id where name <> 'lab' and purged_at is null
                   and not exists (select from job j where j.container_id = c.id and j.status in ('queued', 'running'))";
    for row in tables.rows(idle).await {
        let name = row[0].as_str();
        match row[1].as_str() {
            "running" => {
                assert_eq!(holds(place, name), "1000|500500", "{name}");
                let fields = [("confirm", name), ("no_backup", "on")];
                admin.post(&format!("/containers/{name}/delete"), &fields).await.expect(303);
            }
            "trashed" => {
                admin.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
            }
            _ => panic!("it failed because the program was killed: {row:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn killed_at_random_instants_of_backups_and_of_restores() {
    // The number of kills during backups, and the same number during restores.
    let kills = rounds(50, 8);
    let mut dice = Dice::new();
    let mut program = Program::install_with_store();
    let store = program.dir.join("objects");
    program.spawn();
    program.ready().await;
    let (admin, place) = (program.admin().await, Place::of_program(&program));
    let tables = Tables::of(&place).await;
    admin.create("lab", &[("backup_freq", "Never")]).await;
    let user = sign_in(tables.one("select port from port").await.parse().expect("a port")).await.expect("signs in");
    user.batch_execute("create table t as select generate_series(1, 1000) as i").await.expect("fills");
    admin.post("/containers/lab/backup", &[]).await.expect(303);
    // Includes the test restore that follows the first backup.
    until("the backup and its test restore have succeeded", || {
        place.sql("select count(*) from backup_log where status = 'succeeded'") == "2"
    })
    .await;
    let takes = "select extract(epoch from finished_at - started_at)::text from job where kind = 'backup'";
    let takes = Duration::from_secs_f64(tables.one(takes).await.parse().expect("seconds"));

    let (mut backups, mut restores, mut copies, mut done) = (0, 0, 0, 0);
    let begin = Instant::now();
    while backups < kills || restores < kills {
        done += 1;
        assert!(done < 4 * kills, "of {done} kills, only {backups} hit a backup and {restores} a restore");
        if !tables.open("backup").await {
            admin.post("/containers/lab/backup", &[]).await.expect(303);
        }
        if !tables.open("restore").await {
            let good = "select id from backup_log where kind = 'backup' and status = 'succeeded' order by started_at desc limit 1";
            let path = format!("/containers/lab/backups/{}/restore", tables.one(good).await);
            copies += 1;
            admin.post(&path, &[("name", format!("copy-{copies}").as_str())]).await.expect(303);
        }
        tokio::time::sleep(dice.time(takes.mul_f64(1.2))).await;
        program.kill();
        backups += u32::from(tables.open("backup").await);
        restores += u32::from(tables.open("restore").await);
        judge(&tables, &store).await;
        program.spawn();
        program.ready().await;
        tidy(&place, &tables, &admin).await;
    }
    println!(
        "{done} kills, {backups} of them in a backup of {:.1} s, {restores} in one of {copies} restores: {:.0} s",
        takes.as_secs_f64(),
        begin.elapsed().as_secs_f64()
    );
    for _ in 0..3 {
        place.settled().await;
        tidy(&place, &tables, &admin).await;
    }
    place.all_is_right().await;
    let failed = tables.rows("select kind, error from job where status <> 'succeeded'").await;
    assert!(failed.is_empty(), "jobs failed because the program was killed: {failed:?}");
    assert_eq!(tables.one("select count(*) from backup_log where status <> 'succeeded'").await, "0");
    assert_eq!(tables.one("select count(*) from upload").await, "0");
    assert_eq!(judge(&tables, &store).await, Vec::<PathBuf>::new(), "the store contains more than the good backups");
    let left = docker::docker_ok(&["exec", &place.container("lab"), "sh", "-c", "ls /tmp | grep db4sci; true"]);
    assert_eq!(left, "", "files of a dump are left in the container");
    assert_eq!(holds(&place, "lab"), "1000|500500");
}
