//! Conversations with a server: who signs in, and what they ask. They go through a relay in the container, because the
//! shell of MongoDB takes a second of processor time to start.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::own_accounts::{OBSERVER, grant_time_series, make_own};
use super::script::{Names, Script, Server};
use super::wire::{Client, WireError, is};
use crate::engine::conversation::{Conversation, Print};
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin};
use crate::secrets::Random;

const RELAY: &str = include_str!("relay.sh");
/// The server's numbers for a wrong name or password, and for a user without a password of this mechanism.
const CANNOT_SIGN_IN: [i32; 2] = [18, 334];

/// Password of the user that can only read, derived from the administrator's so that no further secret must be stored.
/// If `own_accounts.rs` changes the role's privileges, increase the number here: it makes all servers update the role.
pub(super) fn observer_password(admin: &SecretString) -> SecretString {
    let text = format!("db4sci_observer 1 {}", admin.expose_secret());
    SecretString::from(hex::encode(Sha256::digest(text)))
}

/// A conversation of the administrator. Accounts are all it touches of what the owner can change.
pub(super) fn administer(plan: &ServerSpec<'_>, script: impl Script) -> ExecSpec {
    let observer = observer_password(&plan.admin_secret());
    converse(plan, observer, script, SignIn::Admin)
}

/// The same with a script that sets `password` for an account of the portal; the password of the read-only user is
/// derived from it.
pub(super) fn administer_with(plan: &ServerSpec<'_>, script: impl Script, password: &SecretString) -> ExecSpec {
    converse(plan, observer_password(password), script, SignIn::Admin)
}

/// A conversation that only reads, held by a user who can do nothing else.
pub(super) fn observe(plan: &ServerSpec<'_>, script: impl Script) -> ExecSpec {
    let observer = observer_password(&plan.admin_secret());
    converse(plan, observer, script, SignIn::Observer)
}

/// A conversation of the user who owns the database.
pub(super) fn as_owner(plan: &ServerSpec<'_>, password: &SecretString, script: impl Script) -> ExecSpec {
    converse(plan, SecretString::default(), script, SignIn::Owner(password.clone()))
}

/// Who holds a conversation.
enum SignIn {
    Admin,
    Observer,
    /// The user who owns the database, with this password.
    Owner(SecretString),
}

fn converse(plan: &ServerSpec<'_>, observer_password: SecretString, script: impl Script, who: SignIn) -> ExecSpec {
    let names = Arc::new(Names {
        admin: plan.admin_user.to_owned(),
        admin_password: plan.admin_secret(),
        observer_password,
        database: plan.dbname.as_str().to_owned(),
        user: plan.dbuser.as_str().to_owned(),
    });
    let (script, who) = (Arc::new(script), Arc::new(who));
    let talk = move |stream, print: Print| -> futures::future::BoxFuture<'static, Result<(), String>> {
        let (names, script, who) = (Arc::clone(&names), Arc::clone(&script), Arc::clone(&who));
        Box::pin(async move {
            let mut server = Client::new(stream);
            let entered = match who.as_ref() {
                SignIn::Admin => enter(&mut server, &names).await,
                SignIn::Observer => enter_reading(&mut server, &names).await,
                SignIn::Owner(password) => sign_in(&mut server, &names.database, (&names.user, password)).await,
            };
            match entered {
                Ok(()) => script.run(&mut server, &names, &print).await.map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            }
        })
    };
    ExecSpec {
        argv: ["bash", "-c", RELAY, "relay", &plan.port("mongodb").to_string()].map(str::to_owned).to_vec(),
        env: Vec::new(),
        stdin: Stdin::Conversation(Conversation::new(talk)),
        user: Some(plan.owner()),
    }
}

/// Signs in as the administrator.
async fn enter(server: &mut Server, names: &Names) -> Result<(), WireError> {
    sign_in(server, "admin", (&names.admin, &names.admin_password)).await
}

async fn sign_in(
    server: &mut Server,
    database: &str,
    (user, password): (&str, &SecretString),
) -> Result<(), WireError> {
    let nonce = hex::encode(Random::system().bytes::<16>());
    server.sign_in(database, (user, password.expose_secret()), &nonce).await
}

/// Signs in as the read-only user, which may do nothing else. An older server does not have this user. A server that was
/// given another administrator's password has it with the old password, and someone may have given it more privileges. In
/// these cases the administrator creates or repairs it, and does nothing else here.
async fn enter_reading(server: &mut Server, names: &Names) -> Result<(), WireError> {
    if observes(server, names).await? {
        return Ok(());
    }
    enter(server, names).await?;
    make_own(server, names).await?;
    grant_time_series(server, names).await?;
    leave(server).await?;
    if observes(server, names).await? {
        return Ok(());
    }
    Err(WireError::Broken("The server has no user that can only read, and none could be created.".to_owned()))
}

/// Signs in as the read-only user, and returns whether that user exists and can only read.
async fn observes(server: &mut Server, names: &Names) -> Result<bool, WireError> {
    match sign_in(server, "admin", (OBSERVER, &names.observer_password)).await {
        Err(e) if e.code().is_some_and(|code| CANNOT_SIGN_IN.contains(&code)) => return Ok(false),
        signed_in => signed_in?,
    }
    let status = server.run("admin", bson::doc! { "connectionStatus": 1 }).await?;
    let roles = status.get_document("authInfo").and_then(|info| info.get_array("authenticatedUserRoles"));
    let only = |role: &bson::Document| is(role, "role", OBSERVER) && is(role, "db", "admin");
    if roles.is_ok_and(|roles| matches!(&roles[..], [one] if one.as_document().is_some_and(only))) {
        return Ok(true);
    }
    leave(server).await?;
    Ok(false)
}

async fn leave(server: &mut Server) -> Result<(), WireError> {
    server.run("admin", bson::doc! { "logout": 1 }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backup::EngineBackup;
    use crate::engine::description::Engine;
    use crate::engine::mongodb::Mongodb;
    use crate::engine::testing::described;
    use tokio::io::AsyncReadExt;

    /// The first message of a conversation, as text: it contains the name of the user who signs in.
    async fn first_message(exec: ExecSpec) -> String {
        let Stdin::Conversation(talk) = exec.stdin else { panic!("not a conversation: {exec:?}") };
        let (ours, theirs) = tokio::io::duplex(4096);
        let (mut ours, mut message) = (ours, vec![0; 4096]);
        let server = async {
            let read = ours.read(&mut message).await.unwrap();
            drop(ours);
            read
        };
        let (told, read) = tokio::join!(talk.begin(theirs, Print::new(tokio::sync::mpsc::channel(1).0)), server);
        assert!(told.is_err(), "the server is gone");
        String::from_utf8_lossy(&message[..read]).into_owned()
    }

    #[tokio::test]
    async fn observing_conversations_sign_in_as_the_observer() {
        let mut looks = Vec::new();
        described(&Mongodb, "docker.io/library/mongo:6.0", |plan| {
            looks = vec![
                Mongodb.survey(plan),
                Mongodb.sessions(plan),
                Mongodb.inventory(plan),
                Mongodb.count(plan, "trial", true),
                Mongodb.check(plan, "trial"),
            ];
            looks.extend(Mongodb.definitions(plan, None));
        });
        assert_eq!(looks.len(), 6);
        for exec in looks {
            let message = first_message(exec).await;
            assert!(message.contains("n,,n=db4sci_observer,r="), "{message:?}");
        }
    }

    #[test]
    fn the_observers_password_is_derived_without_revealing_the_administrators() {
        let of = |text: &str| observer_password(&SecretString::from(text)).expose_secret().to_owned();
        assert_ne!(of("one"), of("other"));
        assert!(!of("one").contains("one") && of("one").len() == 64);
    }
}
