//! Databases of a given size, made by their own servers, and how one dumps and restores them by hand.

use std::io::Write;
use std::process::{Command, Stdio};

/// Rows of the table that all others repeat: longer than what a compressor looks back.
const BASE: u64 = 100_000;
/// MiB that those rows are in a dump.
const BASE_MIB: u64 = 14;

/// An engine whose backups are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
}

impl Kind {
    /// Name of the portal's database of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "first",
            Self::Mariadb => "second",
        }
    }

    /// Its word in forms.
    pub fn word(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
        }
    }

    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL 17",
            Self::Mariadb => "MariaDB 11.8",
        }
    }

    /// Its image, as in the catalog.
    pub fn image(self) -> &'static str {
        match self {
            Self::Postgres => super::support::POSTGRES_17,
            Self::Mariadb => "docker.io/library/mariadb:11.8",
        }
    }

    /// The command that prints a dump.
    pub fn dump(self, container: &str) -> String {
        match self {
            Self::Postgres => format!("docker exec {container} pg_dump -U db4sci_admin -Fc -Z0 trial"),
            Self::Mariadb => format!(
                "docker exec -e MYSQL_PWD=correct-horse {container} mariadb-dump --no-defaults -h127.0.0.1 --skip-ssl -uada \
                 --single-transaction --quick --routines --events --triggers --hex-blob --databases trial"
            ),
        }
    }

    /// Options of `docker run` for a server of one's own. With the checksums that the portal's servers have too: what they
    /// cost is no cost of a restore.
    pub fn made(self) -> &'static str {
        match self {
            Self::Postgres => {
                "-e POSTGRES_INITDB_ARGS=--data-checksums -e POSTGRES_USER=ada -e POSTGRES_PASSWORD=correct-horse -e POSTGRES_DB=trial"
            }
            Self::Mariadb => {
                "-e MARIADB_ROOT_PASSWORD=root-horse -e MARIADB_DATABASE=trial -e MARIADB_USER=ada -e MARIADB_PASSWORD=correct-horse"
            }
        }
    }

    /// Waits until that answers. While an image initialises, its first server does not listen on the network.
    pub fn wait(self, container: &str) -> String {
        let asked = match self {
            Self::Postgres => format!("docker exec {container} pg_isready -q -h 127.0.0.1 -U ada -d trial"),
            Self::Mariadb => format!(
                "docker exec -e MYSQL_PWD=correct-horse {container} mariadb --no-defaults -h127.0.0.1 --skip-ssl -uada trial -e 'select 1'"
            ),
        };
        format!("until {asked} >/dev/null 2>&1; do sleep 0.1; done")
    }

    /// The command that reads a dump.
    pub fn restore(self, container: &str) -> String {
        match self {
            Self::Postgres => {
                format!(
                    "docker exec -i {container} pg_restore -U ada --exit-on-error --no-owner --no-privileges -d trial"
                )
            }
            Self::Mariadb => {
                format!(
                    "docker exec -i -e MYSQL_PWD=root-horse {container} mariadb --no-defaults -h127.0.0.1 --skip-ssl -uroot"
                )
            }
        }
    }

    fn client(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "ada", "-d", "trial"],
            Self::Mariadb => &["mariadb", "--no-defaults", "-h127.0.0.1", "--skip-ssl", "-uada", "trial"],
        }
    }
}

/// Has a server run statements as its user.
fn run(container: &str, kind: Kind, statements: &str) {
    let mut child = Command::new("docker")
        .args(["exec", "-i", "-e", "MYSQL_PWD=correct-horse", "-e", "PGPASSWORD=correct-horse", container])
        .args(kind.client())
        .stdin(Stdio::piped())
        .spawn()
        .expect("docker starts");
    child.stdin.take().expect("its input").write_all(statements.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "{container} takes its data");
}

/// Makes tables whose dump is about so long, and which compress as real ones do: about 3:1.
pub fn fill(container: &str, kind: Kind, mib: u64) {
    let copies = (mib / BASE_MIB).max(1);
    let words = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi \
                 chi psi omega station sample control patient visit outcome treated";
    let list = words.split_whitespace().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(",");
    let statements = match kind {
        Kind::Postgres => {
            let word = format!("(array[{list}])[1 + (random() * 30)::int]");
            let text = [word.as_str(); 7].join(" || ' ' || ");
            format!(
                "create table base as select n::int as subject, timestamptz '2024-01-01' + random() * interval '700 days' as at,
                   round((random() * 1000)::numeric, 4) as value, md5(random()::text) as sample, {text} as note
                 from generate_series(1, {BASE}) n;
                 create table measurement (id bigint generated always as identity primary key, subject int, at timestamptz, value numeric,
                                           sample text, note text);
                 {}create index on measurement (subject); drop table base; analyze measurement;",
                (1..=copies)
                    .map(|k| format!(
                        "insert into measurement (subject, at, value, sample, note)
                           select subject + {k}, at + {k} * interval '1 s', value + {k}, sample, note from base;\n"
                    ))
                    .collect::<Vec<_>>()
                    .concat()
            )
        }
        Kind::Mariadb => {
            let word = format!("elt(1 + floor(rand() * 31), {list})");
            let text = [word.as_str(); 7].join(", ' ', ");
            format!(
                "create table base as select seq as subject, timestampadd(second, floor(rand() * 60000000), '2024-01-01') as at,
                   round(rand() * 1000, 4) as value, md5(rand()) as sample, concat({text}) as note from seq_1_to_{BASE};
                 create table measurement (id bigint auto_increment primary key, subject int, at datetime, value decimal(12,4),
                                           sample char(32), note varchar(200), key (subject));
                 {}drop table base; analyze table measurement;",
                (1..=copies)
                    .map(|k| format!(
                        "insert into measurement (subject, at, value, sample, note) select subject + {k}, timestampadd(second, {k}, at), value + {k}, sample, note from base;\n"
                    ))
                    .collect::<Vec<_>>()
                    .concat()
            )
        }
    };
    run(container, kind, &statements);
}

/// Makes a table in PostgreSQL whose dump is so long, and which takes about a hundredth of that on disk.
pub fn fill_wide(container: &str, mib: u64) {
    let statements = format!(
        "create table wide (id int, content text);
         insert into wide select n, repeat(md5(n::text) || md5((n + 1)::text), 16384) from generate_series(1, {mib}) n;"
    );
    run(container, Kind::Postgres, &statements);
}
