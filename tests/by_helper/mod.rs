//! The main journeys with the real program as a user other than root: all work on data directories then happens in
//! helper containers. The other tests cover the same journeys as root.

mod compose;
mod journeys;

use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;

use crate::engines::{Place, fields};
use crate::support::admin_db::psql;
use crate::support::program::Program;
use crate::support::{Client, PATIENCE, docker};

/// A portal that does not run as root, with its first administrator signed in.
pub struct Journey {
    pub program: Program,
    pub admin: Client,
}

impl Journey {
    /// Starts a portal with these images and waits until all seeds are ready.
    pub async fn begin(images: &[&str]) -> Self {
        let images_there = images.len() + usize::from(!images.contains(&crate::support::POSTGRES_17));
        Self::of(Program::install_unprivileged(images), images_there).await
    }

    /// Starts this program and waits for this many seeds.
    async fn of(mut program: Program, images: usize) -> Self {
        program.spawn();
        program.ready().await;
        let admin = program.admin().await;
        let journey = Self { program, admin };
        journey
            .until(&format!("select count(*) >= {images} from seed where made_at is not null or failed is not null"))
            .await;
        assert_eq!(journey.sql("select coalesce(string_agg(failed, '; '), '') from seed"), "");
        journey
    }

    /// Runs a query on mydb_admin.
    pub fn sql(&self, statement: &str) -> String {
        psql(&self.program.tables(), statement).unwrap_or_else(|| panic!("this statement failed: {statement}"))
    }

    /// Waits until this query returns true.
    pub async fn until(&self, statement: &str) {
        let begin = Instant::now();
        while self.sql(statement) != "t" {
            assert!(begin.elapsed() < PATIENCE, "never true: {statement}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the newest job of this kind has ended, which must have succeeded.
    pub async fn succeeded(&self, kind: &str) {
        let last = format!("from job where kind = '{kind}' order by created_at desc limit 1");
        self.until(&format!("select status not in ('queued', 'running') {last}")).await;
        assert_eq!(self.sql(&format!("select status || coalesce(': ' || error, '') {last}")), "succeeded", "{kind}");
    }

    /// Creates a database from a seed.
    pub async fn create(&self, name: &str, engine: EngineKind, image: &str) -> Place {
        let more = fields(engine, image);
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        self.admin.submit_create(name, &more).await.expect(303);
        self.succeeded("create").await;
        let from = format!(
            "select s.detail from job_step s join job j on j.id = s.job_id join container c on c.id = j.container_id
              where c.name = '{name}' and j.kind = 'create' and s.name = 'Prepare the data directory'"
        );
        assert_eq!(self.sql(&from), "From prepared data");
        self.place(engine, name)
    }

    /// The ports, database and user for connecting to a database.
    pub fn place(&self, engine: EngineKind, name: &str) -> Place {
        let ports = self.sql(&format!(
            "select string_agg(purpose || ' ' || port, ',' order by port) from port
               join container on container.id = container_id where name = '{name}' and purged_at is null"
        ));
        let fixed = engine.engine().fixed_names();
        let port = |text: &str| {
            let (purpose, port) = text.split_once(' ').expect("a port");
            (purpose.to_owned(), port.parse().expect("a number"))
        };
        Place {
            engine,
            ports: ports.split(',').map(port).collect(),
            dbname: fixed.map_or("trial", |f| f.dbname).to_owned(),
            dbuser: fixed.map_or("ada", |f| f.dbuser).to_owned(),
        }
    }

    /// The helper containers that are left.
    pub fn helpers(&self) -> Vec<String> {
        let mut names = docker::containers(&self.program.instance);
        names.retain(|n| n.contains("-helper-"));
        names
    }
}
