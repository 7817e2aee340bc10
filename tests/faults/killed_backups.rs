//! The real program is killed at random instants of backups and of restores: each comes to its end all the same, what is
//! called good is good, and nothing is left of the rest.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::binary::Program;
use super::{Dice, Place, sign_in};
use crate::backups::objects_in;
use crate::support::{Client, docker};

/// Kills while a backup and while a restore is under way.
const KILLS: u32 = 50;

/// Whether every good backup is there as its manifest says, and what lies there beside them.
fn judge(place: &Place, store: &Path) -> Vec<PathBuf> {
    let objects = place.sql(
        "select b.location, o->>'file', o->'stored'->>'bytes', o->'stored'->>'sha256' from backup_log b, jsonb_array_elements(b.manifest->'objects') o
          where b.kind = 'backup' and b.status = 'succeeded'",
    );
    let mut good: Vec<String> = Vec::new();
    for row in objects.lines() {
        let [location, file, bytes, sha256] = row.split('|').collect::<Vec<_>>()[..] else { unreachable!("{row}") };
        let dir = store.join("db4sci-backups").join(location);
        let content = std::fs::read(dir.join(file)).unwrap_or_else(|e| panic!("{location}/{file}: {e}"));
        assert_eq!((content.len().to_string().as_str(), hex::encode(Sha256::digest(&content)).as_str()), (bytes, sha256));
        assert!(dir.join("manifest.json").is_file() && dir.join("RESTORE.txt").is_file(), "{location}");
        good.push(location.to_owned());
    }
    let mut others = objects_in(store.to_owned());
    others.retain(|p| !good.iter().any(|location| p.to_string_lossy().contains(location)));
    others
}

/// What is in a database, asked from inside its container.
fn holds(place: &Place, name: &str) -> String {
    let inside = format!("{}-{name}", place.instance);
    let ask = "exec psql -U \"$POSTGRES_USER\" -d trial -XAtqc 'select count(*), sum(i) from t'";
    docker::docker(&["exec", &inside, "sh", "-c", ask])
}

/// Takes away what was restored: the copies that run are deleted, those in the trash purged.
async fn tidy(place: &Place, admin: &Client) {
    let idle = place.sql(
        "select name, state from container c join state s on s.container_id = c.id
          where name <> 'lab' and purged_at is null and not exists (select from job j where j.container_id = c.id and j.status in ('queued', 'running'))",
    );
    for row in idle.lines() {
        match row.split_once('|') {
            Some((name, "running")) => {
                assert_eq!(holds(place, name), "1000|500500", "{name}");
                let fields = [("confirm", name), ("no_backup", "on")];
                admin.post(&format!("/containers/{name}/delete"), &fields).await.expect(303);
            }
            Some((name, "trashed")) => {
                admin.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
            }
            _ => panic!("it failed for being killed: {row}"),
        }
    }
}

fn open(place: &Place, kind: &str) -> bool {
    place.sql(&format!("select count(*) from job where kind = '{kind}' and status in ('queued', 'running')")) != "0"
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_fifty_random_instants_of_backups_and_of_restores() {
    let mut dice = Dice::new();
    let mut program = Program::install_with("");
    let store = program.dir.join("objects");
    let target = format!("[[target]]\nname = \"local\"\nbucket = \"db4sci-backups\"\nembedded = \"{}\"\n", store.display());
    let settings = program.dir.join("home/dev/config.toml");
    let before = std::fs::read_to_string(&settings).expect("its settings");
    std::fs::write(&settings, format!("{before}{target}")).expect("its settings");
    program.spawn();
    program.ready().await;
    let (admin, place) = (program.admin().await, program.place());
    admin.create("lab", &[("backup_freq", "Never")]).await;
    let user = sign_in(place.sql("select port from port").parse().expect("a port")).await.expect("the user signs in");
    user.batch_execute("create table t as select generate_series(1, 1000) as i").await.expect("fills");

    let (mut backups, mut restores, mut copies, mut rounds) = (0, 0, 0, 0);
    let begin = Instant::now();
    while backups < KILLS || restores < KILLS {
        rounds += 1;
        assert!(rounds < 4 * KILLS, "of {rounds} kills only {backups} and {restores} hit something");
        if !open(&place, "backup") {
            admin.post("/containers/lab/backup", &[]).await.expect(303);
        }
        let good = place.sql("select id from backup_log where kind = 'backup' and status = 'succeeded' order by started_at desc limit 1");
        if !good.is_empty() && !open(&place, "restore") {
            copies += 1;
            let path = format!("/containers/lab/backups/{good}/restore");
            admin.post(&path, &[("name", format!("copy-{copies}").as_str())]).await.expect(303);
        }
        tokio::time::sleep(dice.time(Duration::from_millis(900))).await;
        program.kill();
        backups += u32::from(open(&place, "backup"));
        restores += u32::from(open(&place, "restore"));
        // Its leases run out at once, not after seconds.
        place.sql("update job set lease_until = now() - interval '1 second' where status = 'running'");
        judge(&place, &store);
        program.spawn();
        program.ready().await;
        tidy(&place, &admin).await;
    }
    println!("{rounds} kills, {backups} of them in a backup, {restores} in one of {copies} restores, {:.0} s", begin.elapsed().as_secs_f64());
    for _ in 0..3 {
        place.settled().await;
        tidy(&place, &admin).await;
    }
    place.all_is_right().await;
    assert_eq!(place.sql("select kind, error from job where status not in ('succeeded')"), "", "nothing failed for being killed");
    assert_eq!(place.sql("select count(*) from backup_log where status <> 'succeeded'"), "0");
    assert_eq!(place.sql("select count(*) from upload"), "0");
    assert_eq!(judge(&place, &store), Vec::<PathBuf>::new(), "nothing but good backups is in the store");
    let left = docker::docker(&["exec", &format!("{}-lab", place.instance), "sh", "-c", "ls /tmp | grep db4sci; true"]);
    assert_eq!(left, "", "no dump's files are left in the container");
    assert_eq!(holds(&place, "lab"), "1000|500500");
}
