//! The client programs for mydb_admin. They run in a container of its image on the host's network, so they work the
//! same whether the portal created the server or it existed before.

use anyhow::Context;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::config::Config;
use crate::engine::{ExecSpec, Stdin};
use crate::runtime::helper::HOLD;
use crate::runtime::{ContainerSpec, Runtime};

/// A container with the client programs.
pub struct ClientContainer<'a> {
    runtime: &'a dyn Runtime,
    /// The container engine's id.
    pub id: String,
    env: Vec<(String, SecretString)>,
}

impl<'a> ClientContainer<'a> {
    /// Starts a container for the server of this URL.
    pub async fn start(
        runtime: &'a dyn Runtime,
        config: &Config,
        url: &SecretString,
    ) -> anyhow::Result<ClientContainer<'a>> {
        let env = environment(url)?;
        let image = config.image_reference(&config.admin_db.image);
        let spec = ContainerSpec {
            network: "host".to_owned(),
            memory: 512 * 1024 * 1024,
            ..ContainerSpec::helper(&config.instance, "admin-db", &image, &HOLD)
        };
        runtime.remove(&spec.name).await?;
        let id = runtime.create(&spec).await?;
        runtime.start(&id).await?;
        Ok(Self { runtime, id, env })
    }

    /// A shell script whose environment contains the connection.
    pub fn script(&self, text: String, more: &[(&str, &str)]) -> ExecSpec {
        let mut env = self.env.clone();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))));
        ExecSpec { argv: vec!["sh".to_owned(), "-c".to_owned(), text], env, stdin: Stdin::Closed, user: None }
    }

    /// Removes the container.
    pub async fn remove(self) -> anyhow::Result<()> {
        Ok(self.runtime.remove(&self.id).await?)
    }
}

/// Converts a URL to the environment variables of the client programs: everyone on the host could see an argument.
fn environment(url: &SecretString) -> anyhow::Result<Vec<(String, SecretString)>> {
    let url = Url::parse(url.expose_secret()).map_err(|e| anyhow::anyhow!("the URL of mydb_admin is invalid: {e}"))?;
    let plain = |text: &str| -> anyhow::Result<SecretString> {
        Ok(SecretString::from(percent_decode_str(text).decode_utf8().context("it is not UTF-8")?.into_owned()))
    };
    let mut env = vec![
        ("PGHOST".to_owned(), plain(url.host_str().unwrap_or("localhost"))?),
        ("PGPORT".to_owned(), SecretString::from(url.port().unwrap_or(5432).to_string())),
        ("PGUSER".to_owned(), plain(url.username())?),
        ("PGPASSWORD".to_owned(), plain(url.password().unwrap_or_default())?),
        ("PGDATABASE".to_owned(), plain(url.path().trim_start_matches('/'))?),
    ];
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "sslmode" => env.push(("PGSSLMODE".to_owned(), SecretString::from(value.into_owned()))),
            "host" => env.push(("PGHOST".to_owned(), SecretString::from(value.into_owned()))),
            _ => {}
        }
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_converted_to_environment_variables() {
        let url = SecretString::from("postgres://a%20b:p%40ss@db.example.org:5433/mydb_admin?sslmode=require");
        let env = environment(&url).unwrap();
        let value = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, v)| v.expose_secret().to_owned());
        assert_eq!(
            ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"].map(|n| value(n).unwrap()),
            ["db.example.org", "5433", "a b", "p@ss", "mydb_admin", "require"]
        );
    }
}
