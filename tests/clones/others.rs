//! What a clone must not take over from its source: passwords of other accounts, and anything that writes to other servers.

use mydb::domain::engine::EngineKind;
use mysql_async::Conn;

use crate::attacks::{mongodb, neo4j};
use crate::backups::dump::mariadb;
use crate::engines::sign_in;
use crate::support::{TestPortal, docker};

const PASSWORD: &str = "tagalong-7";

/// A name of a database that a script might misread.
const ODD: &str = "odd 'na\"me\\\n\u{1f418} dbname=postgres";

/// Runs statements as the administrator of a PostgreSQL, each in its own transaction.
fn postgres(portal: &TestPortal, name: &str, database: &str, statements: &[&str]) -> String {
    let container = portal.container(name);
    let dbname = format!("PGDATABASE={database}");
    let mut args = vec!["exec", "-e", &dbname, &container, "psql", "-X", "-q", "-A", "-t", "-U", "db4sci_admin"];
    args.extend(["-v", "ON_ERROR_STOP=1"]);
    args.extend(statements.iter().flat_map(|s| ["-c", *s]));
    docker::docker_ok(&args)
}

/// Adds another account, and what writes elsewhere.
pub async fn add(portal: &TestPortal, engine: EngineKind) {
    match engine {
        EngineKind::Postgres => {
            let odd = format!("create database \"{}\" owner ada", ODD.replace('"', "\"\""));
            let reaching = [
                "create extension postgres_fdw",
                "create server away foreign data wrapper postgres_fdw options (host '127.0.0.1')",
                "create user mapping for ada server away options (user 'x', password 'y')",
                "create user mapping for public server away options (user 'x', password 'y')",
                "create subscription \"my sub\" connection 'host=127.0.0.1 dbname=x' publication p with (connect = false)",
            ];
            postgres(
                portal,
                "lab",
                "postgres",
                &["create role eve login password 'tagalong-7'", "grant connect on database trial to eve", &odd],
            );
            postgres(portal, "lab", "postgres", &["select pg_create_physical_replication_slot('kept')"]);
            postgres(portal, "lab", "trial", &reaching);
            postgres(portal, "lab", ODD, &reaching[..4]);
        }
        EngineKind::Mariadb => {
            let statements = "create user eve identified by 'tagalong-7'; create role singers; grant singers to eve;
                              grant all on trial.* to eve;
                              create event trial.nightly on schedule every 1 day do select 1;
                              change master to master_host = '127.0.0.1', master_user = 'x';
                              change master 'second' to master_host = '127.0.0.1', master_user = 'x'";
            mariadb::as_admin(portal, "lab", statements);
        }
        EngineKind::Mongodb => {
            let script =
                "db.getSiblingDB('trial').createUser({ user: 'eve', pwd: 'tagalong-7', roles: ['readWrite'] })";
            mongodb::as_admin(portal, "lab", script);
        }
        EngineKind::Neo4j => {
            for name in ["eve", "`e.v-e`"] {
                let statement = format!("CREATE USER {name} SET PASSWORD 'tagalong-7' CHANGE NOT REQUIRED");
                neo4j::ask(portal, "lab", "system", "correct-horse", &statement).await.expect("a user");
            }
        }
    }
    other(portal, engine, "lab", "eve").await.expect("the other account works in the source");
}

/// Signs in as the other account.
async fn other(portal: &TestPortal, engine: EngineKind, name: &str, user: &str) -> Result<(), String> {
    let mut place = crate::engines::place(portal, engine, name);
    user.clone_into(&mut place.dbuser);
    match engine {
        EngineKind::Mariadb => {
            let options = mysql_async::OptsBuilder::default()
                .ip_or_hostname("127.0.0.1")
                .tcp_port(place.port())
                .db_name(Some("trial"))
                .user(Some(user))
                .pass(Some(PASSWORD))
                .prefer_socket(false);
            Conn::new(options).await.map(drop).map_err(|e| e.to_string())
        }
        _ => sign_in(&place, PASSWORD).await.map(drop),
    }
}

/// In the clone, nobody but its owner can sign in, and nothing reaches other servers.
pub async fn are_locked_out(portal: &TestPortal, engine: EngineKind, name: &str) {
    assert!(other(portal, engine, name, "eve").await.is_err(), "another account of the source can sign in");
    match engine {
        EngineKind::Postgres => {
            let with_password =
                "select string_agg(rolname, ' ' order by rolname) from pg_authid where rolpassword is not null";
            assert_eq!(postgres(portal, name, "postgres", &[with_password]), "ada db4sci_admin db4sci_observer");
            let slots = "select count(*) from pg_replication_slots";
            assert_eq!(postgres(portal, name, "postgres", &[slots]), "0");
            let subscriptions = "select subname, subenabled, subslotname is null from pg_subscription";
            assert_eq!(postgres(portal, name, "trial", &[subscriptions]), "my sub|f|t");
            for database in ["trial", ODD] {
                assert_eq!(postgres(portal, name, database, &["select count(*) from pg_user_mapping"]), "0");
            }
            // And all of it is still there in the source.
            assert_eq!(postgres(portal, "lab", ODD, &["select count(*) from pg_user_mapping"]), "2");
            assert_eq!(postgres(portal, "lab", "postgres", &[slots]), "1");
        }
        EngineKind::Mariadb => {
            let events = "select concat(status, ' ', definer) from information_schema.events";
            assert_eq!(mariadb::as_admin(portal, name, events), "DISABLED root@127.0.0.1");
            assert_eq!(mariadb::as_admin(portal, name, "show all slaves status"), "", "it replicates from nowhere");
            assert_eq!(mariadb::as_admin(portal, "lab", "select status from information_schema.events"), "ENABLED");
        }
        EngineKind::Mongodb => {}
        EngineKind::Neo4j => {
            assert!(other(portal, engine, name, "e.v-e").await.is_err(), "another account of the source can sign in");
        }
    }
}

/// The page of the clone lists what was found in it.
pub fn are_listed(engine: EngineKind, page: &str) {
    let found: &[&str] = match engine {
        EngineKind::Postgres => &[
            "Subscription “my sub” in database “trial”: switched off",
            "Logins to the foreign server “away” in database “trial”: removed",
            "Replication slot “kept”: removed",
            "Password of “eve”: removed",
        ],
        EngineKind::Mariadb => &[
            "Event “nightly” in database “trial”: switched off",
            "Account “eve@%”: locked",
            "Replication “second” from another server: ended",
        ],
        EngineKind::Mongodb | EngineKind::Neo4j => &["The portal found nothing in it that connects to other servers."],
    };
    for sentence in found {
        assert!(page.contains(sentence), "{sentence} is missing: {page}");
    }
}
