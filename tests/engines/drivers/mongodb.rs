//! MongoDB with its own driver, which uses the host name announced by the server's replica set.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Credential, ServerAddress};
use mongodb::{Client, Collection, IndexModel};

use super::{Place, Said, Session, words};

struct Mongodb {
    client: Client,
    database: String,
}

pub async fn sign_in(place: &Place, password: &str) -> Said<Box<dyn Session>> {
    let user = Credential::builder()
        .username(place.dbuser.clone())
        .password(password.to_owned())
        .source(place.dbname.clone())
        .build();
    let address = ServerAddress::Tcp { host: "localhost".to_owned(), port: Some(place.port()) };
    let options = ClientOptions::builder()
        .hosts(vec![address])
        .credential(user)
        .server_selection_timeout(Duration::from_secs(30))
        .build();
    let client = Client::with_options(options).map_err(words)?;
    // Only a command shows whether the password is right.
    client.database(&place.dbname).run_command(doc! {"count": "kept"}).await.map_err(words)?;
    Ok(Box::new(Mongodb { client, database: place.dbname.clone() }))
}

impl Mongodb {
    fn kept(&self) -> Collection<Document> {
        self.client.database(&self.database).collection("kept")
    }

    async fn run(&self, database: &str, command: Document) -> Said<Document> {
        self.client.database(database).run_command(command).await.map_err(words)
    }
}

#[async_trait]
impl Session for Mongodb {
    async fn version(&mut self) -> Said<String> {
        let info = self.run(&self.database, doc! {"buildInfo": 1}).await?;
        info.get_str("version").map(str::to_owned).map_err(words)
    }

    async fn prepare(&mut self) -> Said<()> {
        let index = IndexModel::builder().keys(doc! {"length": 1}).build();
        self.kept().create_index(index).await.map_err(words)?;
        let own = self.database.clone();
        self.run(&own, doc! {"create": "kept_too"}).await?;
        self.run(&own, doc! {"create": "kept_view", "viewOn": "kept", "pipeline": []}).await?;
        // A change stream needs a replica set.
        self.kept().watch().await.map_err(words).map(|_| ())
    }

    async fn put(&mut self, key: &str, value: &str) -> Said<()> {
        let length = i64::try_from(value.len()).map_err(words)?;
        let document = doc! {"_id": key, "value": value, "length": length};
        self.kept().insert_one(document).await.map_err(words).map(|_| ())
    }

    async fn get(&mut self, key: &str) -> Said<Option<String>> {
        let found = self.kept().find_one(doc! {"_id": key}).await.map_err(words)?;
        Ok(found.and_then(|d| d.get_str("value").ok().map(str::to_owned)))
    }

    async fn transactions(&mut self, kept: &str, dropped: &str) -> Said<()> {
        for (key, keep) in [(kept, true), (dropped, false)] {
            let mut session = self.client.start_session().await.map_err(words)?;
            session.start_transaction().await.map_err(words)?;
            let document = doc! {"_id": key, "value": "x"};
            self.kept().insert_one(document).session(&mut session).await.map_err(words)?;
            if keep { session.commit_transaction().await } else { session.abort_transaction().await }.map_err(words)?;
        }
        Ok(())
    }

    async fn overreach(&mut self) -> Vec<String> {
        let mut allowed = Vec::new();
        let roles = vec![doc! {"role": "root", "db": "admin"}];
        for (database, command) in [
            ("admin", doc! {"find": "system.users"}),
            ("admin", doc! {"createUser": "other", "pwd": "other-other", "roles": roles.clone()}),
            ("trial", doc! {"grantRolesToUser": "ada", "roles": roles}),
            ("elsewhere", doc! {"insert": "t", "documents": [{"a": 1}]}),
            ("admin", doc! {"getCmdLineOpts": 1}),
            ("admin", doc! {"getLog": "global"}),
            ("admin", doc! {"shutdown": 1}),
            ("admin", doc! {"replSetReconfig": {"_id": "rs0"}}),
            ("local", doc! {"find": "oplog.rs", "limit": 1}),
            ("trial", doc! {"find": "kept", "filter": {"$where": "true"}}),
        ] {
            let named = command.to_string();
            if self.run(database, command).await.is_ok() {
                allowed.push(named);
            }
        }
        allowed
    }

    async fn setting(&mut self) -> Said<(String, String)> {
        // Scripts in the server are off, as configured.
        let scripts = self.run(&self.database, doc! {"find": "kept", "filter": {"$where": "true"}}).await;
        Ok((scripts.is_err().to_string(), "true".to_owned()))
    }

    async fn cache(&mut self) -> Said<i64> {
        // The user may not query this; the test reads the server's configuration instead.
        Ok(0)
    }
}
