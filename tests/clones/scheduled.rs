//! Jobs of `pg_cron`, which is not in the images: an extension of that name with a table of the same shape stands for it.

use serde_json::json;

use super::call;
use crate::support::{TestPortal, docker};

/// Installs the extension in a running server: its two files, then its tables as the extension itself makes them.
const INSTALL: &str = r#"set -eu
dir=$(pg_config --sharedir 2>/dev/null || dirname "$(find / -name plpgsql.control -not -path '/proc/*' | head -n 1)")
[ -e "$dir/plpgsql.control" ] || dir=$dir/extension
cat >"$dir/pg_cron.control" <<'END'
comment = 'Job scheduler'
default_version = '1.6'
relocatable = false
schema = pg_catalog
END
cat >"$dir/pg_cron--1.6.sql" <<'END'
CREATE SCHEMA cron;
CREATE SEQUENCE cron.jobid_seq;
CREATE TABLE cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'), schedule text not null, command text not null,
  nodename text not null default 'localhost', nodeport int not null default 5432,
  database text not null default current_database(), username text not null default current_user,
  active boolean not null default true, jobname text);
END
"#;

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_pg_cron_are_switched_off_in_a_clone_and_only_there() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[]).await;
    let (lab, psql) = (portal.container("lab"), ["psql", "-X", "-q", "-A", "-t", "-U", "db4sci_admin", "-d", "trial"]);
    let ask = |container: &str, statement: &str| {
        docker::docker_ok(
            &[&["exec", container][..], &psql[..], &["-v", "ON_ERROR_STOP=1", "-c", statement][..]].concat(),
        )
    };
    docker::docker_ok(&["exec", "-u", "0", &lab, "sh", "-c", INSTALL]);
    ask(&lab, "create extension pg_cron");
    ask(
        &lab,
        "insert into cron.job (schedule, command, active)
         values ('* * * * *', 'select 1', true), ('0 3 * * *', 'vacuum', true), ('@daily', 'select 2', false)",
    );
    call(&api, "lab/clone", &json!({ "name": "copy" }), 201).await;
    let active = "select count(*) filter (where active) || ' of ' || count(*) from cron.job";
    assert_eq!(ask(&portal.container("copy"), active), "0 of 3");
    assert_eq!(ask(&lab, active), "2 of 3");
    let page = ada.get("/containers/copy/snapshots").await.expect(200).text();
    for job in ["Job 1 of pg_cron in database “trial”: switched off", "Job 2 of pg_cron"] {
        assert!(page.contains(job), "{job}: {page}");
    }
    assert!(!page.contains("Job 3 of pg_cron"), "{page}");
}
