//! Talks to a running server through commands in its container.

use std::time::Duration;

use super::container;
use super::container::find;
use crate::admin_db::containers::Container;
use crate::admin_db::image_tools;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::engine::EngineKind;
use crate::engine::{ExecSpec, Extension, LOCKED_OUT, Stdin, Tools};
use crate::manifest::BackupSubject;
use crate::provision::exec::{ANSWER, ask};
use crate::provision::readiness::{NotReady, Patience, describe, until_answers};
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::Observed;

/// The engine's message if the image lacks the program of a command. These images do not even have a shell.
const NO_PROGRAM: &str = "executable file not found";
/// Prints those of its arguments that the image contains: programs, and control files of extensions where Debian and the
/// official images have them.
const PRESENT: &str = r#"for t; do case $t in
*.control) for f in /usr/share/postgresql/*/extension/"$t" /usr/local/share/postgresql/extension/"$t"; do
  if [ -e "$f" ]; then echo "$t"; break; fi; done ;;
*) if command -v "$t" >/dev/null 2>&1; then echo "$t"; fi ;; esac; done"#;

/// Which of the programs that the portal runs in containers of an engine, and which extensions, are in an image. Looked
/// up once per digest, in the running container `id` of the image. `None` if the container has ended in the meantime.
pub async fn tools_in(app: &App, kind: EngineKind, digest: &str, id: &str) -> Result<Option<Tools>, StepError> {
    let engine = kind.engine();
    let backup = engine.backup().into_iter().flat_map(|b| b.tools().iter().chain(b.load_tools()));
    let programs = engine.tools().iter().chain(backup).flat_map(|t| t.names).map(|n| (*n).to_owned());
    let asked: Vec<String> = programs.chain(engine.extensions().iter().map(Extension::file)).collect();
    let mut db = app.db.acquire().await?;
    let known = image_tools::of(&mut db, digest, &asked).await?;
    drop(db);
    if known.is_some() {
        return Ok(known);
    }
    let argv = ["sh", "-c", PRESENT, "sh"].map(str::to_owned).into_iter().chain(asked.iter().cloned()).collect();
    let look = ExecSpec { argv, env: Vec::new(), stdin: Stdin::Closed, user: None };
    match ask(app, id, &look, ANSWER).await {
        Ok(said) if said.code == 0 => {
            let tools = Tools(said.stdout.lines().map(str::to_owned).collect());
            let mut db = app.db.acquire().await?;
            image_tools::set(&mut db, digest, &asked, &tools, app.clock.now()).await?;
            Ok(Some(tools))
        }
        Ok(said) if [&said.stdout, &said.stderr].iter().any(|text| text.contains(NO_PROGRAM)) => {
            Ok(Some(Tools::default()))
        }
        // The container ended during the command, which the engine may notice only later.
        Ok(_) => Ok(None),
        Err(e) if e.is_container_down() => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Rejects an image that lacks programs its engine needs.
///
/// # Errors
/// [`StepError::Fail`] with the missing programs.
async fn look_up_tools(app: &App, c: &Container, id: &str) -> Result<(), StepError> {
    let digest = c.image_digest.as_deref().unwrap_or_default();
    // The container has already ended; waiting for its server reports why.
    let Some(tools) = tools_in(app, c.engine, digest, id).await? else { return Ok(()) };
    let missing = tools.missing(c.engine.engine().tools());
    if missing.is_empty() {
        return Ok(());
    }
    Err(StepError::Fail(format!(
        "The image {} lacks {}, which the portal needs to set up and monitor the server. An administrator can choose \
         another image in the configuration ([images.replace]).",
        app.config.image_reference(&c.image),
        missing.join(" or ")
    )))
}

/// Waits until the server responds in its own protocol, and returns its version. If the portal's administrator cannot
/// sign in, the server is stopped, the administrator is restored, and the server is started once more.
pub async fn wait_ready(work: &StepContext, limit: Duration) -> Result<String, StepError> {
    match first_answer(work, limit).await? {
        Ok(version) => Ok(version),
        Err(AdminLockedOut::Out) => {
            regain(work).await?;
            container::start(work).await?;
            let again = first_answer(work, limit).await?;
            again.map_err(|AdminLockedOut::Out| StepError::Fail(format!("{LOCKED_OUT}, even after it was recreated.")))
        }
    }
}

/// The portal's administrator cannot sign in to the server.
enum AdminLockedOut {
    /// The password differs, or the user does not exist.
    Out,
}

/// Restores the server's administrator, in a sealed container on the same data.
async fn regain(work: &StepContext) -> Result<(), StepError> {
    let (app, c) = (&work.app, work.container().await?);
    work.progress("Someone locked out the portal's user in this server. Recreating the user").await;
    let own = work.blueprint().await?;
    let of = BackupSubject::new(&c, "");
    let sealed = SealedServer::of(app, &of, c.id, AdminPassword::There(own.admin_password())).await?;
    if sealed.blueprint.dir != own.dir {
        return Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", c.storage)));
    }
    container::stop(work).await?;
    sealed.regain(app).await
}

async fn first_answer(work: &StepContext, limit: Duration) -> Result<Result<String, AdminLockedOut>, StepError> {
    let app = &work.app;
    let c = work.container().await?;
    let gone = || StepError::Fail("The container was removed while the server was starting.".to_owned());
    let found = find(app, &c).await?.ok_or_else(gone)?;
    let id = &found.id;
    look_up_tools(app, &c, id).await?;
    // The blueprint contains the programs that were just looked up.
    work.changed();
    let blueprint = work.blueprint().await?;
    let probe = c.engine.engine().probe(&blueprint.plan());
    let patience = Patience::new(app, limit);
    match until_answers(app, id, &probe, patience).await? {
        Ok(version) => {
            work.note_answer(&found, &version);
            Ok(Ok(version))
        }
        Err(NotReady::LockedOut(_)) if c.engine.engine().regain(&blueprint.plan()).is_some() => {
            Ok(Err(AdminLockedOut::Out))
        }
        Err(silent) => Err(StepError::Fail(describe(app, id, silent, patience).await)),
    }
}

/// Whether the server of `c`, in the running container `id`, responds to the same probe that a start waits for. A server
/// that locks out the portal's administrator responds too.
pub async fn responds(app: &App, c: &Container, id: &str, limit: Duration) -> Result<bool, StepError> {
    let blueprint = Blueprint::read(app, c).await?;
    let probe = c.engine.engine().probe(&blueprint.plan());
    let answer = until_answers(app, id, &probe, Patience { idle: limit, longest: limit * 6 }).await?;
    Ok(matches!(answer, Ok(_) | Err(NotReady::LockedOut(_))))
}

/// The container of a running server, and its version. If the server has been running since an earlier step waited for
/// it, the version reported then is used, because MongoDB's shell, for example, needs a second to query it again.
pub async fn running(work: &StepContext, c: &Container, limit: Duration) -> Result<(Observed, String), StepError> {
    if let Some(found) = find(&work.app, c).await?
        && let Some(version) = work.answer(&found)
    {
        return Ok((found, version));
    }
    let version = wait_ready(work, limit).await?;
    let found = find(&work.app, c).await?;
    Ok((found.ok_or_else(|| StepError::Retry("The container no longer exists.".to_owned()))?, version))
}
