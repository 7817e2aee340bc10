//! Databases in which somebody has more privileges than an owner, or which contain something that would run with the
//! privileges of others. Copying such a database is rejected, because the copy may belong to somebody else.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::json;

use crate::backups::dump::mariadb::as_admin;
use crate::engines::fields;
use crate::support::{Client, TestPortal, docker};

/// What an attacker who had become an administrator could leave behind in PostgreSQL, how to remove it, and the error.
const POSTGRES: [(&str, &str, &str); 9] = [
    ("create role backdoor superuser login", "drop role backdoor", "The role backdoor has privileges on the whole server."),
    (
        "grant pg_execute_server_program to ada",
        "revoke pg_execute_server_program from ada",
        "The role ada is a member of pg_execute_server_program.",
    ),
    (
        "create function public.climb() returns text security definer language sql as 'select session_user::text'",
        "drop function public.climb()",
        "In the database trial, the function climb belongs to a role of the portal.",
    ),
    (
        "create function public.plant() returns event_trigger language plpgsql as 'begin end'; alter function public.plant() owner to ada;
         create event trigger plant on ddl_command_start execute function public.plant()",
        "drop event trigger plant; drop function public.plant()",
        "In the database trial, the event trigger plant runs in the sessions of others.",
    ),
    ("alter role ada bypassrls", "alter role ada nobypassrls", "The role ada has privileges on the whole server."),
    (
        "alter system set log_min_duration_statement = 0",
        "alter system reset log_min_duration_statement",
        "The file postgresql.auto.conf sets log_min_duration_statement.",
    ),
    (
        "grant set on parameter log_statement to ada",
        "revoke set on parameter log_statement from ada",
        "Roles that are not superusers may set log_statement.",
    ),
    (
        "alter role ada set session_preload_libraries = '/tmp/climb'",
        "alter role ada reset session_preload_libraries",
        "A role or a database has the setting session_preload_libraries, which only a superuser can change.",
    ),
    (
        "create function public.code(int) returns int language internal as 'int4abs'; alter function public.code(int) owner to ada",
        "drop function public.code(int)",
        "In the database trial, the function code is written in internal, which only a superuser may use.",
    ),
];

/// The same for MariaDB.
const MARIADB: [(&str, &str, &str); 9] = [
    (
        "grant super on *.* to ada@'%'",
        "revoke super on *.* from ada@'%'",
        "The account ada@% has privileges on the whole server.",
    ),
    (
        "create procedure trial.climb() sql security definer select current_user()",
        "drop procedure trial.climb",
        "The procedure trial.climb runs with the privileges of root@",
    ),
    (
        "create view trial.seen as select current_user() as who",
        "drop view trial.seen",
        "The view trial.seen runs with the privileges of root@",
    ),
    (
        "grant reload on *.* to db4sci_rebuild@'%' identified by 'x'",
        "drop user db4sci_rebuild@'%'",
        "The account db4sci_rebuild@% has privileges on the whole server.",
    ),
    (
        "create role climb; grant file on *.* to climb",
        "drop role climb",
        "The account climb@ has privileges on the whole server.",
    ),
    (
        "grant update (Priv) on mysql.global_priv to bob@'%' identified by 'x'",
        "drop user bob@'%'",
        "The account bob@% has privileges on the whole server.",
    ),
    (
        "create procedure mysql.hidden() select 1",
        "drop procedure mysql.hidden",
        "The procedure mysql.hidden does not belong to the server.",
    ),
    (
        "create definer = 'db4sci_admin'@'%' procedure trial.later() sql security definer select current_user()",
        "drop procedure trial.later",
        "The procedure trial.later runs with the privileges of db4sci_admin@%.",
    ),
    (
        "create table trial.m (a int); create trigger trial.t before insert on trial.m for each row set @a = current_user()",
        "drop table trial.m",
        "The trigger trial.t runs with the privileges of root@",
    ),
];

/// Clones `lab` with all of these in it, which the error must name, and once without any.
async fn refused(portal: &TestPortal, api: &Client, gained: &[(&str, &str, &str)], run: impl Fn(&str)) {
    for (gain, ..) in gained {
        run(gain);
    }
    let copy = json!({ "name": "gained" });
    api.json(Method::POST, "/api/v1/containers/lab/clone", &copy).await.expect(202);
    let (status, error) = portal.ended("clone").await;
    for (gain, remove, words) in gained {
        assert!(status == "failed" && error.contains(words), "{gain}: {status}: {error}");
        run(remove);
    }
    let copy = json!({ "name": "copy" });
    api.outcome(Method::POST, "/api/v1/containers/lab/clone", &copy).await.expect(201);
}

async fn lab(engine: EngineKind, image: &str) -> (TestPortal, Client) {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let more = fields(engine, image);
    let mut more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    more.push(("storage", "cow"));
    ada.create("lab", &more).await;
    let api = portal.token(&ada).await;
    (portal, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_with_excessive_privileges_is_not_cloned() {
    let (portal, api) = lab(EngineKind::Postgres, "docker.io/library/postgres:17").await;
    refused(&portal, &api, &POSTGRES, |statement| {
        let container = portal.container("lab");
        let psql = ["exec", &container, "psql", "-X", "-q", "-U", "db4sci_admin", "-d", "trial", "-c", statement];
        docker::docker_ok(&psql);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_with_excessive_privileges_is_not_cloned() {
    let (portal, api) = lab(EngineKind::Mariadb, "docker.io/library/mariadb:11.8").await;
    refused(&portal, &api, &MARIADB, |statement| {
        as_admin(&portal, "lab", statement);
    })
    .await;
}
